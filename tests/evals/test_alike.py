"""Rows made after a first one are the rows that every check would have made."""

import datetime as dt

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from accounts.roles import Actor, Kind, Reach, Refused
from crises.receiving import receive_runs
from evals.alike import Maker
from evals.catalogue import choose_evaluation
from evals.ingest import Facts, build_result, build_run
from evals.models import Checkpoint, EvalRun, Evaluation
from evals.storing import Posted
from evals.submissions import InvalidSubmission, digest, parse
from tests.conftest import NIGHTLY, run_body

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("small", "aurora")]
MEASURED = some.sampled_from(
    [
        {"solved": 3, "total": 12},
        {"solved": 3, "total": 12, "reason": "why"},
        {"solved": -0.0, "total": 12},
        {"solved": 0, "total": 12},
        {"solved": 1, "total": 12},
        {"solved": 2.5, "total": 12},
        {"solved": 12, "total": 12},
        {"solved": 3, "total": 12, "value": 0.25},
        {"solved": 3, "total": 12, "value": 0.9},
        {"value": 0.25, "n_tasks": 12},
        {"value": 0.25, "stderr": 0.1},
        {"solved": 3, "total": 12, "ci_low": 0.1, "ci_high": 0.5},
        {"solved": 12, "total": 12, "direction": "lower"},
        {"tasks": [{"id": "a", "solved": 1}]},
    ]
)
BODIES = some.fixed_dictionaries(
    {
        "measured": MEASURED,
        "status": some.sampled_from(["success", "success", "success", "error"]),
        "started": some.sampled_from([None, -3, 9]),
        "completed": some.sampled_from([None, -2, -1, 9]),
        "coverage": some.sampled_from(
            [{}, {"planned": 12, "completed": 12}, {"planned": 20, "completed": 12}, {"errored": 11}, {"errored": 9, "planned": 12}]
        ),
        "provenance": some.sampled_from([{}, {"commit": "a"}, {"selected_samples": 3, "dataset_samples": 12}]),
        "version": some.sampled_from(["", "1.0"]),
    }
)


def body(number, drawn, now):
    moments = {name: now + dt.timedelta(days=drawn[name]) for name in ("started", "completed") if drawn[name] is not None}
    return run_body(
        external_id=str(number),
        measurements=[{"metric": "solved", **drawn["measured"]}],
        status=drawn["status"],
        coverage=drawn["coverage"],
        provenance=drawn["provenance"],
        elicitation={"n": number},
        producer={"name": "nightly", "version": drawn["version"]},
        **{name: moment.isoformat() for name, moment in moments.items()},
    )


def shown(rows):
    return [{name: value for name, value in vars(row).items() if name != "_state"} for row in rows], [
        row._state.fields_cache.keys() for row in rows
    ]


def made(make):
    try:
        run, results = make()
    except (InvalidSubmission, Refused) as refusal:
        return str(refusal)
    assert all(result.run is run for result in results)
    return repr(shown([run, *results]))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(drawn=some.lists(BODIES, min_size=1, max_size=8))
def test_whatever_is_posted_together_makes_the_rows_that_it_makes_alone(drawn, now):
    checkpoint = Checkpoint.objects.select_related("model").get()
    evaluation = choose_evaluation("ctf@1", list(Evaluation.objects.filter(slug="ctf")))
    maker = Maker(now)
    for number, each in enumerate(drawn * 2):
        try:
            submission = parse(body(number, each, now))
        except InvalidSubmission:
            continue
        facts = Facts(submission, checkpoint, evaluation, digest(submission))

        def plainly(facts=facts):
            run = build_run(facts, NIGHTLY, now, None)
            return run, [build_result(run, item) for item in facts.submission.measurements]

        assert made(lambda facts=facts: maker.rows_of(facts, NIGHTLY, None)) == made(plainly)


def test_each_caller_has_rows_of_its_own(now):
    checkpoint, evaluation = Checkpoint.objects.select_related("model").get(), Evaluation.objects.get(slug="ctf")
    submission, maker = parse(run_body(3, 12)), Maker(now)
    facts = Facts(submission, checkpoint, evaluation, digest(submission))
    first, _ = maker.rows_of(facts, NIGHTLY, None)
    other, _ = maker.rows_of(facts, Actor(Kind.SERVICE, "other", 2), None)
    assert (first.posted_by, other.posted_by, len(maker.patterns)) == ("service:nightly", "service:other", 2)


def facts_of(**told):
    submission = parse(run_body(**told))
    checkpoint = Checkpoint.objects.select_related("model").get()
    return Facts(submission, checkpoint, Evaluation.objects.get(slug="ctf"), digest(submission))


def test_a_run_is_made_after_one_that_solved_less_as_long_as_it_fits_the_total(now):
    maker = Maker(now)
    for solved in (1, 3, 0):
        maker.rows_of(facts_of(solved=solved, total=12, coverage={"errored": 9}), NIGHTLY, None)
    assert len(maker.patterns) == 1
    with pytest.raises(InvalidSubmission):
        maker.rows_of(facts_of(solved=4, total=12, coverage={"errored": 9}), NIGHTLY, None)


def test_a_token_that_does_not_reach_a_run_is_refused_also_after_a_namesake_that_does(now):
    maker, namesake = Maker(now), Actor(Kind.SERVICE, NIGHTLY.name, 2, reach=Reach(models=frozenset({"other"})))
    maker.rows_of(facts_of(solved=3, total=12), NIGHTLY, None)
    with pytest.raises(Refused):
        maker.rows_of(facts_of(solved=3, total=12), namesake, None)


def test_a_run_that_does_not_say_when_it_was_completed_was_completed_when_it_came(now):
    times = [{"completed": (now - dt.timedelta(days=400)).isoformat()}, {}, {"started": (now - dt.timedelta(days=1)).isoformat()}]
    posts = [Posted(parse(run_body(3, 12, external_id=str(number), **told)), NIGHTLY) for number, told in enumerate(times)]
    receive_runs(posts=posts, now=now)
    assert list(EvalRun.objects.order_by("external_id").values_list("completed", flat=True)) == [now - dt.timedelta(days=400), now, now]
