import datetime as dt
from dataclasses import replace

import pytest

from gates.decision import LevelFacts, PlanFacts, Verdict, decide

NOW = dt.datetime(2026, 11, 22, 12, tzinfo=dt.UTC)
CLEAR = LevelFacts(
    level="Cyber uplift",
    key="small-1.0.uplift",
    has_lines=True,
    state="clear",
    taken=NOW - dt.timedelta(days=3),
    retest_days=90,
    critical_ruled_out=True,
    has_critical=True,
    illustrative=False,
    reported="",
    reported_on=None,
    reported_clear=False,
    differs=False,
)
READY = PlanFacts(ref="CR-1", level="Cyber uplift", state="ready", ready=True, sentence="2 of 2 mitigations are ready.")


def ask(*levels, plans=(), framework="Small 1.0"):
    verdict, reasons = decide(levels, dict.fromkeys([CLEAR.key], *plans) if plans else {}, framework, NOW)
    return verdict.value, [reason.code for reason in reasons]


def test_a_fresh_clear_level_passes():
    assert ask(CLEAR) == ("pass", [])


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"state": "no_result", "taken": None, "critical_ruled_out": False}, "no_result"),
        ({"state": "inconclusive"}, "inconclusive"),
        ({"state": "watch", "critical_ruled_out": False}, "critical_not_ruled_out"),
        ({"taken": NOW - dt.timedelta(days=91)}, "stale"),
        ({"has_lines": False, "state": "no_result", "taken": None}, "no_line"),
        ({"reported": "alert", "differs": True}, "differs"),
    ],
)
def test_what_is_missing_stale_or_told_differently_is_unknown(change, code):
    assert ask(replace(CLEAR, **change)) == ("unknown", [code])


def test_a_watch_with_the_critical_level_ruled_out_passes():
    assert ask(replace(CLEAR, state="watch")) == ("pass", [])


def test_a_level_without_lines_passes_only_on_a_clear_determination():
    level = replace(CLEAR, has_lines=False, state="no_result", taken=None)
    below = replace(level, reported="below", reported_clear=True, reported_on=NOW.date())
    assert ask(below) == ("pass", [])
    assert ask(replace(below, reported_on=NOW.date() - dt.timedelta(days=91))) == ("unknown", ["stale"])
    assert ask(replace(level, reported="alert")) == ("unknown", ["no_line"])


@pytest.mark.parametrize("state", ["alert", "critical"])
def test_a_reached_level_holds_until_its_plan_is_signed_and_declared_ready(state):
    level = replace(CLEAR, state=state, critical_ruled_out=False)
    assert ask(level) == ("hold", ["no_plan"])
    assert ask(level, plans=[replace(READY, state="mitigating", ready=False)]) == ("hold", ["plan_not_ready"])
    assert ask(level, plans=[replace(READY, state="mitigating")]) == ("hold", ["plan_not_ready"])
    assert ask(level, plans=[replace(READY, ready=False)]) == ("hold", ["plan_not_ready"])
    assert ask(level, plans=[READY]) == ("pass", [])
    assert ask(level, plans=[replace(READY, state="closed")]) == ("pass", [])


def test_a_ready_plan_does_not_freshen_old_evidence():
    level = replace(CLEAR, state="alert", taken=NOW - dt.timedelta(days=400))
    assert ask(level, plans=[READY]) == ("unknown", ["stale"])


def test_a_live_crisis_of_the_model_holds_even_where_this_checkpoint_is_clear():
    assert ask(CLEAR, plans=[replace(READY, state="opened", ready=False)]) == ("hold", ["plan_not_ready"])


def test_a_live_crisis_at_a_level_that_is_not_listed_holds_too():
    elsewhere = replace(READY, state="opened", ready=False)
    verdict, reasons = decide([CLEAR], {"small-0.9.uplift": elsewhere}, "Small 1.0", NOW)
    assert (verdict, [reason.code for reason in reasons]) == (Verdict.HOLD, ["plan_not_ready"])


def test_without_a_framework_or_a_level_nothing_can_be_cleared():
    assert ask(framework="") == ("unknown", ["no_framework"])
    assert ask() == ("unknown", ["no_levels"])


def test_hold_outweighs_unknown_and_stands_first():
    held = replace(CLEAR, state="alert", key="other")
    assert ask(replace(CLEAR, state="no_result", taken=None), held)[0] == "hold"
    assert ask(replace(CLEAR, state="no_result", taken=None), held)[1][0] == "no_plan"


def test_a_reason_on_an_illustrative_line_says_so():
    _, reasons = decide([replace(CLEAR, state="no_result", taken=None, illustrative=True)], {}, "Small 1.0", NOW)
    assert "illustrative line" in reasons[0].detail
