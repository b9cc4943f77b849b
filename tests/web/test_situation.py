from fsf.web.situation import Facts, Plan, Standing, describe

GEMINI = Standing("Gemini 2.5 Pro", "Cyber uplift 1", "alert", illustrative=True)


def test_it_names_the_worst_model_level_crisis_and_readiness():
    said = describe(Facts(worst=GEMINI, plan=Plan("CR-1", "opened", 1, 4, 2), open_crises=1, reached=1, judged=3))
    assert said.state == "alert"
    assert said.headline == "Gemini 2.5 Pro has reached the alert line of Cyber uplift 1 (illustrative line)."
    assert said.plan == "Crisis CR-1 is open and nobody has acknowledged it; 1 of 4 measures ready, 2 overdue."
    assert said.rest == ""


def test_a_published_line_is_not_called_illustrative():
    worst = Standing("Claude Sonnet 4.5", "AI R&D-4", "critical")
    assert describe(Facts(worst=worst, judged=1)).headline == "Claude Sonnet 4.5 has reached the critical line of AI R&D-4."


def test_a_rule_out_line_is_called_by_its_name():
    worst = Standing("Claude Opus 4.5", "AI R&D-4", "alert", early="rule_out")
    assert describe(Facts(worst=worst, judged=1)).headline == "Claude Opus 4.5 has reached the rule-out line of AI R&D-4."


def test_what_else_there_is_is_counted_without_the_worst_itself():
    facts = Facts(GEMINI, None, open_crises=2, reached=3, unresolved=1, judged=9, stale=4, differing=1)
    assert describe(facts).rest == (
        "Also: 2 further lines reached, 1 level not ruled out, 2 further crises open, "
        "1 level read differently by the lab itself, 4 of 9 judgements past the re-test date."
    )


def test_nothing_judged_never_reads_as_safe():
    assert describe(Facts()).headline == "No level has been judged yet."


def test_too_little_evidence_is_said_to_be_too_little():
    worst = Standing("Aurora", "CBRN", "inconclusive")
    assert (
        describe(Facts(worst, unresolved=1, judged=1)).headline
        == "CBRN cannot be ruled out for Aurora: there is too little evidence to tell."
    )


def test_an_old_all_clear_is_said_to_be_old():
    clear = Standing("", "", "clear")
    assert describe(Facts(clear, judged=2)).headline == "Every level that was judged is below its alert line."
    assert "not all of that is recent" in describe(Facts(clear, judged=2, stale=1)).headline
