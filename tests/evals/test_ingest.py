import datetime as dt

import pytest
from django.db import DatabaseError, transaction

from accounts.roles import SYSTEM, NotAllowed, Refused
from audit.models import Entry
from evals.ingest import ContentDiffers, invalidate_run, record_run
from evals.models import EvalResult, EvalRun
from evals.submissions import InvalidSubmission, parse
from tests.conftest import NIGHTLY, run_body

pytestmark = pytest.mark.django_db


def recording(now):
    return lambda *counts, **more: record_run(submission=parse(run_body(*counts, **more)), actor=NIGHTLY, now=now)


@pytest.fixture
def record(small, aurora, now):
    return recording(now)


def measuring(**item):
    return {"measurements": [{"metric": "solved", **item}]}


def faults(record, *counts, **more):
    with pytest.raises(InvalidSubmission) as wrong:
        record(*counts, **more)
    assert not EvalRun.objects.exists()
    return [(fault.pointer, fault.code) for fault in wrong.value.errors]


def test_a_run_is_stored_as_it_was_reported(record, now):
    done = record(
        **measuring(solved=3, total=12, n_tasks=12),
        coverage={"planned": 12, "completed": 11, "scored": 11, "errored": 1},
        started="2026-01-01T10:00:00Z",
        completed="2026-01-01T13:00:00+02:00",
        elicitation={"scaffold": "react"},
        provenance={"commit": "abc"},
        relationship="third_party",
        producer={"name": "nightly", "version": "2.1"},
    )
    run = EvalRun.objects.get()
    assert done == type(done)(run, created=True, results=tuple(EvalResult.objects.all()))
    assert (run.producer, run.producer_version, run.external_id, run.revision, run.posted_by) == (
        "nightly",
        "2.1",
        "1",
        1,
        "service:nightly",
    )
    assert (run.planned, run.finished, run.scored, run.errored, run.complete) == (12, 11, 11, 1, False)
    assert (run.completed, run.received) == (dt.datetime(2026, 1, 1, 11, tzinfo=dt.UTC), now)
    assert (run.elicitation, run.provenance, run.relationship) == ({"scaffold": "react"}, {"commit": "abc"}, "third_party")
    (result,) = run.results.all()
    assert (result.metric, result.value, result.solved, result.total, result.n_tasks) == ("solved", 0.25, 3, 12, 12)


def test_a_run_without_a_time_was_completed_when_it_came(record, now):
    assert record(3, 12).run.completed == now


def test_storing_is_audited_with_the_digest_of_the_content(record):
    run = record(3, 12).run
    entry = Entry.objects.get(about=f"run:{run.pk}")
    assert (entry.action, entry.actor, entry.data["digest"]) == ("evals.run.record", "nightly", run.digest)


@pytest.mark.parametrize(
    ("item", "value"),
    [
        ({"value": 0.4}, 0.4),
        ({"solved": 3, "total": 12}, 0.25),
        ({"tasks": [{"id": "a", "solved": 1, "attempts": 4}, {"id": "b", "solved": 3, "attempts": 4}]}, 0.5),
        ({"reason": "the grader broke"}, None),
    ],
)
def test_the_value_is_what_was_posted_or_the_mean(record, item, value):
    assert record(**measuring(**item)).results[0].value == value


def test_the_same_content_again_is_the_same_run(record):
    first = record(3, 12)
    again = record(3, 12)
    assert (again.run, again.created) == (first.run, False)
    assert (EvalRun.objects.count(), EvalResult.objects.count()) == (1, 1)


def test_the_same_external_id_of_another_producer_is_another_run(record):
    record(3, 12)
    assert record(3, 12, producer={"name": "weekly"}).created


def test_other_content_under_the_same_id_is_refused_and_says_how_to_correct(record):
    run = record(3, 12).run
    with pytest.raises(ContentDiffers, match=f'"supersedes": {run.pk}') as differs:
        record(4, 12)
    assert differs.value.run == run
    assert EvalRun.objects.count() == 1


@pytest.mark.parametrize("form", ["{}", "R-{}"])
def test_a_correction_names_the_run_it_supersedes(record, form):
    first = record(3, 12).run
    second = record(4, 12, supersedes=form.format(first.pk)).run
    assert (second.supersedes, second.revision, EvalRun.objects.count()) == (first, 2, 2)
    first.refresh_from_db()
    assert first.results.get().solved == 3


def test_a_repeated_correction_is_the_same_run(record):
    first = record(3, 12).run
    second = record(4, 12, supersedes=first.pk)
    assert record(4, 12, supersedes=first.pk).run == second.run
    assert not record(4, 12, supersedes=first.pk).created


def test_a_correction_back_to_the_first_content_is_a_run_of_its_own(record):
    first = record(3, 12).run
    second = record(0, 12, supersedes=first.pk).run
    third = record(3, 12, supersedes=second.pk)
    assert (third.created, third.run.supersedes, third.run.revision) == (True, second, 3)
    assert record(3, 12, supersedes=second.pk).run == third.run


def test_the_first_post_repeated_late_is_still_the_first_run(record):
    first = record(3, 12).run
    record(0, 12, supersedes=first.pk)
    again = record(3, 12)
    assert (again.run, again.created) == (first, False)


@pytest.mark.parametrize("before", ["started", "lost"])
@pytest.mark.parametrize("status", ["success", "error", "cancelled"])
def test_the_next_post_of_a_run_that_did_not_end_is_its_end(record, before, status):
    begun = record(status=before).run
    done = record(3, 12, status=status)
    assert (done.created, done.run.supersedes, done.run.revision, done.run.status) == (True, begun, 2, status)
    assert record(3, 12, status=status).run == done.run
    assert EvalRun.objects.count() == 2


def test_a_start_that_is_repeated_before_or_after_the_end_is_the_same_start(record):
    begun = record(status="started").run
    assert (record(status="started").run, record(status="started").created) == (begun, False)
    record(3, 12)
    assert (record(status="started").run, EvalRun.objects.count()) == (begun, 2)


@pytest.mark.parametrize("before", ["started", "lost", "success"])
def test_a_start_with_other_content_under_a_known_id_is_refused(record, before):
    record(**({} if before != "success" else measuring(value=0.1)), status=before)
    with pytest.raises(ContentDiffers):
        record(status="started", elicitation={"scaffold": "other"})


@pytest.mark.parametrize("status", ["error", "cancelled"])
def test_a_run_that_ended_is_only_corrected_by_name(record, status):
    record(status=status)
    with pytest.raises(ContentDiffers):
        record(3, 12)


def test_what_was_started_then_lost_and_comes_at_last_supersedes_both_in_turn(record):
    runs = [record(status="started").run, record(status="lost").run, record(3, 12).run]
    assert [run.supersedes for run in runs] == [None, *runs[:2]]


@pytest.mark.parametrize("named", [999_999, "R-x", "", "1 OR 1=1", 10**30, -1])
def test_a_correction_of_anything_but_the_newest_run_is_refused(record, named):
    first = record(3, 12).run
    record(4, 12, supersedes=first.pk)
    for wrong in (named, first.pk):
        with pytest.raises(InvalidSubmission) as refused:
            record(5, 12, supersedes=wrong)
        assert [(fault.pointer, fault.code) for fault in refused.value.errors] == [("/supersedes", "not_the_newest")]
    assert EvalRun.objects.count() == 2


def test_the_run_of_another_identity_cannot_be_superseded(record):
    other = record(3, 12, external_id="other").run
    with pytest.raises(InvalidSubmission):
        record(4, 12, supersedes=other.pk)


def test_unknown_names_are_told_together(record):
    assert faults(record, 3, 12, checkpoint="nobody", evaluation="nothing@1") == [
        ("/checkpoint", "unknown_checkpoint"),
        ("/evaluation", "unknown_evaluation"),
    ]


@pytest.mark.parametrize("name", ["started", "completed"])
def test_a_run_from_the_future_is_refused_but_for_a_slow_clock(record, now, name):
    def after(hours):
        return {"started": None, "completed": None, name: (now + dt.timedelta(hours=hours)).isoformat()}

    assert faults(record, 3, 12, **after(1.1)) == [(f"/{name}", "in_the_future")]
    assert record(3, 12, **after(0.9)).created


@pytest.mark.parametrize(
    ("more", "fault"),
    [
        ({"measurements": [{"metric": "other", "value": 1}]}, ("/measurements", "metric_missing")),
        (measuring(value=1.2), ("/measurements/0/value", "score_outside_bounds")),
        (measuring(value=-0.1), ("/measurements/0/value", "score_outside_bounds")),
        (
            {**measuring(solved=10, total=12), "coverage": {"errored": 3}},
            ("/measurements/0/total", "solved_plus_errored_exceeds_total"),
        ),
        (measuring(value=0.9, solved=0, total=100), ("/measurements/0", "contradiction")),
        (measuring(value=0.0, solved=90, total=100), ("/measurements/0", "contradiction")),
        (measuring(value=0.9, tasks=[{"id": "a", "solved": 0}]), ("/measurements/0", "contradiction")),
        (measuring(solved=9, total=10, tasks=[{"id": "a", "solved": 0}]), ("/measurements/0", "contradiction")),
    ],
)
def test_what_cannot_be_a_run_of_the_evaluation_is_refused(record, more, fault):
    assert faults(record, **more) == [fault]


@pytest.mark.parametrize(
    "more",
    [
        measuring(value=0.251, solved=3, total=12),
        {**measuring(value=0.5, solved=5, total=12), "coverage": {"errored": 2}},
        measuring(value=0.5, tasks=[{"id": "a", "solved": 1}, {"id": "b", "solved": 0}]),
        measuring(solved=1, total=2, tasks=[{"id": "a", "solved": 1}, {"id": "b", "solved": 0}]),
        measuring(value=0.75, tasks=[{"id": "a", "solved": 1}, {"id": "b", "solved": 2, "attempts": 4}]),
    ],
)
def test_the_same_number_told_twice_and_rounded_is_no_contradiction(record, more):
    assert record(**more).created


@pytest.fixture
def evaluated(enact, aurora, now):
    """Records runs of an evaluation that declares what is given."""

    def with_declared(**declared):
        line = {"kind": "alert", "evaluation": "ctf@1", "value": 0.2, "policy": "point", "source": "the tests"}
        enact(levels=[{"thresholds": [line]}], evaluations=[declared])
        return recording(now)

    return with_declared


@pytest.mark.parametrize("item", [{"solved": 0, "total": 48, "n_tasks": 13}, {"value": 0.1, "n_tasks": 13}])
def test_more_tasks_than_the_evaluation_has_are_refused(evaluated, item):
    record = evaluated(n_tasks=12)
    assert faults(record, **measuring(**item)) == [("/measurements/0/n_tasks", "more_tasks_than_declared")]


def test_more_listed_tasks_than_the_evaluation_has_are_refused(evaluated):
    tasks = [{"id": str(number), "solved": 0} for number in range(13)]
    assert faults(evaluated(n_tasks=12), **measuring(tasks=tasks)) == [("/measurements/0/tasks", "more_tasks_than_declared")]


@pytest.mark.parametrize("item", [{"solved": 3, "total": 12}, {"tasks": [{"id": "a", "solved": 1}]}])
def test_counts_belong_to_proportions(evaluated, item):
    record = evaluated(unit="minutes", maximum=None)
    assert faults(record, **measuring(**item)) == [("/measurements/0", "counts_need_proportion")]


@pytest.mark.parametrize(
    ("item", "names"),
    [
        ({"value": 0}, ["value"]),
        ({"value": -5, "ci_low": -6, "ci_high": 1}, ["value", "ci_low"]),
        ({"value": 5, "ci_low": 0, "ci_high": 9}, ["ci_low"]),
    ],
)
def test_what_has_no_logarithm_is_refused_on_a_log_scale(evaluated, item, names):
    record = evaluated(unit="ratio", scale="log", minimum=None, maximum=None)
    assert faults(record, **measuring(**item)) == [(f"/measurements/0/{name}", "log_scale_needs_positive") for name in names]


TASKS = [{"id": str(number), "solved": 0, "attempts": 2} for number in range(12)]


@pytest.mark.parametrize(
    ("item", "more", "complete"),
    [
        ({"solved": 0, "total": 12}, {}, True),
        ({"solved": 0, "total": 48}, {}, True),
        ({"solved": 0, "total": 48, "n_tasks": 12}, {"coverage": {"planned": 48, "completed": 48, "scored": 48}}, True),
        ({"solved": 0, "total": 12}, {"coverage": {"planned": 48, "completed": 48, "scored": 48}}, True),
        ({"tasks": TASKS}, {"coverage": {"planned": 24, "completed": 24}}, True),
        ({"value": 0.1, "n_tasks": 12}, {}, True),
        ({"value": 0.1}, {}, True),
        ({"solved": 0, "total": 11}, {}, False),
        ({"solved": 0, "total": 48, "n_tasks": 11}, {}, False),
        ({"solved": 0, "total": 5, "n_tasks": 12}, {}, False),
        ({"value": 0.1, "n_tasks": 11}, {}, False),
        ({"tasks": TASKS[1:]}, {}, False),
        ({"tasks": TASKS}, {"coverage": {"planned": 25}}, False),
        ({"solved": 0, "total": 12}, {"coverage": {"planned": 100}}, False),
        ({"solved": 0, "total": 100}, {"coverage": {"completed": 10, "scored": 10}}, False),
        ({"solved": 0, "total": 100}, {"coverage": {"planned": 10, "completed": 10}}, False),
        ({"solved": 0, "total": 12}, {"coverage": {"limit_hit": 1}}, False),
        ({"solved": 0, "total": 12}, {"status": "cancelled"}, False),
        ({"solved": 0, "total": 12}, {"status": "error"}, False),
        ({"solved": 0, "total": 12}, {"status": "lost"}, False),
        ({"reason": "the grader broke"}, {}, False),
    ],
)
def test_a_run_is_complete_only_where_it_has_a_result_for_everything_planned_and_declared(evaluated, item, more, complete):
    assert evaluated(n_tasks=12)(**measuring(**item), **more).run.complete is complete


def aside(treatment):
    return [{"task": f"x{number}", "treatment": treatment, "reason": "broken"} for number in range(2)]


@pytest.mark.parametrize(
    ("declared", "item"),
    [
        ({"n_tasks": 12, "exclusions": aside("assumed_solved")}, {"solved": 0, "total": 10}),
        ({"n_tasks": 12, "exclusions": aside("assumed_solved")}, {"value": 0.0, "n_tasks": 10}),
        ({"n_tasks": 12, "exclusions": aside("excluded")}, {"solved": 0, "total": 12}),
        ({"n_tasks": 12, "task_rule": {"rule": "any"}}, {"solved": 12, "total": 240, "n_tasks": 12}),
        ({"task_rule": {"rule": "any"}}, {"solved": 12, "total": 240}),
    ],
)
def test_what_is_declared_of_single_tasks_needs_the_outcome_of_each(evaluated, declared, item):
    assert faults(evaluated(**declared), **measuring(**item)) == [("/measurements/0", "tasks_needed")]


@pytest.mark.parametrize(
    ("declared", "item"),
    [
        ({"n_tasks": 12, "exclusions": aside("excluded")}, {"solved": 0, "total": 10}),
        ({"n_tasks": 12, "task_rule": {"rule": "any"}}, {"solved": 3, "total": 12}),
        ({"n_tasks": 12, "task_rule": {"rule": "any"}}, {"value": 0.25, "n_tasks": 12}),
    ],
)
def test_counts_of_the_tasks_that_count_are_enough(evaluated, declared, item):
    assert evaluated(**declared)(**measuring(**item)).run.complete


@pytest.mark.parametrize("treatment", ["excluded", "assumed_solved"])
@pytest.mark.parametrize(("ran", "others", "complete"), [(0, 10, True), (2, 10, True), (2, 8, False), (0, 9, False)])
def test_tasks_set_aside_beforehand_need_not_run_and_stand_in_for_no_other(evaluated, treatment, ran, others, complete):
    names = [*(f"x{number}" for number in range(ran)), *map(str, range(others))]
    record = evaluated(n_tasks=12, exclusions=aside(treatment))
    assert record(**measuring(tasks=[{"id": name, "solved": 0} for name in names])).run.complete is complete


@pytest.mark.parametrize("marks", [{"id": "x0"}, {"id": "a", "mark": "refused", "reason": "it refused"}])
def test_where_no_task_has_an_outcome_that_counts_there_is_no_value(evaluated, marks):
    (result,) = evaluated(exclusions=aside("excluded"))(**measuring(tasks=[{"solved": 0, **marks}])).results
    assert (result.value, result.reason) == (None, "No task has an outcome that counts.")


@pytest.mark.parametrize("said", [True, " ", [""], [], None])
def test_an_expert_determination_names_people(enact, aurora, now, said):
    rubric = [{"grade": grade, "says": "so"} for grade in ("ruled_out", "not_ruled_out", "likely", "confirmed")]
    graded = {"unit": "grade", "kind": "expert", "minimum": None, "maximum": None, "rubric": rubric}
    enact(
        levels=[{"thresholds": [{"kind": "alert", "evaluation": "ctf@1", "value": 2, "policy": "point", "source": "x"}]}],
        evaluations=[graded],
    )
    provenance = {"provenance": {"experts": said, "rationale": "Read the transcripts."}}
    assert faults(recording(now), **measuring(value=1), **provenance) == [("/provenance/experts", "required")]


def test_a_failed_run_without_measurements_is_recorded_and_incomplete(record):
    done = record(status="error")
    assert (done.created, done.results, done.run.complete) == (True, (), False)


def test_a_run_is_marked_invalid_once_and_with_a_reason(record, ada, now):
    run = record(3, 12).run
    with pytest.raises(Refused, match="Say why"):
        invalidate_run(run_id=run.pk, reason=" ", actor=ada.as_actor(), now=now)
    invalidate_run(run_id=run.pk, reason="wrong checkpoint", actor=ada.as_actor(), now=now)
    with pytest.raises(Refused, match="already marked invalid by Ada Safety"):
        invalidate_run(run_id=run.pk, reason="again", actor=ada.as_actor(), now=now)
    run.refresh_from_db()
    assert (run.invalidated, run.invalidated_by, run.invalidated_reason) == (now, "Ada Safety", "wrong checkpoint")


@pytest.mark.parametrize("who", ["cleo", "dan"])
def test_only_those_with_the_right_mark_a_run_invalid(record, request, now, who):
    run = record(3, 12).run
    for actor in (request.getfixturevalue(who).as_actor(), NIGHTLY, SYSTEM):
        with pytest.raises(NotAllowed):
            invalidate_run(run_id=run.pk, reason="I say so", actor=actor, now=now)
    run.refresh_from_db()
    assert run.invalidated is None


def test_the_database_refuses_two_runs_of_one_identity_and_revision(record):
    run = record(3, 12).run
    run.pk = None
    with pytest.raises(DatabaseError), transaction.atomic():
        run.save(force_insert=True)
