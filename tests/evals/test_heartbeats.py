"""What a started run says of itself, and who may say it."""

import datetime as dt
from dataclasses import replace

import pytest

from accounts.roles import NotAllowed, Reach
from crises.watching import hear_run
from evals.heartbeats import RunEnded, allowance, course_of, give_up, hear, losses, overdue, running, watch_runs
from evals.ingest import invalidate_run, record_run
from evals.models import EvalRun, Heartbeat
from evals.storing import Posted, record_runs
from evals.submissions import InvalidSubmission, digest, parse
from tests.conftest import NIGHTLY, run_body

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("small", "aurora")]
MINUTE = dt.timedelta(minutes=1)


@pytest.fixture
def start(now):
    """Stores a run that has only started."""

    def start(**more):
        return record_run(submission=parse(run_body(status="started", **more)), actor=NIGHTLY, now=now).run

    return start


def beat(run, now, **said):
    return hear(run_id=run.pk, said=said, actor=NIGHTLY, now=now)


def counts(run, *names):
    return Heartbeat.objects.values_list(*names).get(run=run)


def test_a_start_is_waited_for_as_long_as_the_settings_say(start, now, settings):
    settings.LOST_MINUTES = 7
    assert counts(start(), "every", "seen", "due", "beats") == (None, now, now + 7 * MINUTE, 0)


def test_a_declared_interval_is_waited_for_three_times(start, now):
    assert counts(start(heartbeat_seconds=20), "every", "due") == (20, now + MINUTE)


def test_what_is_posted_finished_is_not_waited_for(now):
    record_run(submission=parse(run_body(3, 12)), actor=NIGHTLY, now=now)
    assert Heartbeat.objects.count() == 0


def test_starts_that_are_stored_many_at_once_are_waited_for(now):
    bodies = [run_body(status="started", external_id="1", heartbeat_seconds=5), run_body(3, 12, external_id="2")]
    record_runs(posts=[Posted(parse(body), NIGHTLY) for body in bodies], now=now)
    assert list(Heartbeat.objects.values_list("run__external_id", "every")) == [("1", 5)]


def test_nothing_started_costs_no_statement(django_assert_num_queries, now):
    with django_assert_num_queries(0):
        watch_runs(runs=[(EvalRun(status="success"), None)], now=now)


@pytest.mark.parametrize("seconds", [4, 86_401, 1.5, "60", True])
def test_an_interval_that_is_none_is_refused(seconds):
    with pytest.raises(InvalidSubmission) as refused:
        parse(run_body(status="started", heartbeat_seconds=seconds))
    assert refused.value.errors[0].pointer == "/heartbeat_seconds"


def test_a_body_without_an_interval_has_the_digest_it_always_had():
    body = {"producer": {"name": "nightly"}, "external_id": "1", "checkpoint": "aurora-1", "evaluation": "ctf@1", "status": "started"}
    assert digest(parse(body)) == digest(parse({**body, "heartbeat_seconds": None}))
    assert digest(parse(body)) != digest(parse({**body, "heartbeat_seconds": 30}))


def test_a_sign_moves_what_is_waited_for(start, now):
    run = start()
    heard = beat(run, now + MINUTE, completed=3, planned=12, tokens=2**40, cost=0.25)
    assert heard == (run, now + MINUTE + allowance(None))
    assert counts(run, "seen", "due", "beats", "planned", "completed", "scored", "tokens", "cost") == (
        *(now + MINUTE, now + MINUTE + allowance(None), 1),
        *(12, 3, None, 2**40, 0.25),
    )


def test_counts_never_fall_and_times_never_run_back(start, now):
    run = start()
    beat(run, now + 2 * MINUTE, completed=5, cost=1.5)
    beat(run, now + MINUTE, completed=3, errored=1, cost=0.5)
    assert counts(run, "seen", "completed", "errored", "cost", "beats") == (now + 2 * MINUTE, 5, 1, 1.5, 2)


def test_a_sign_is_one_look_and_one_update(start, now, django_assert_num_queries):
    run = start()
    with django_assert_num_queries(2):
        beat(run, now, completed=3, planned=12, tokens=100)


def test_a_token_that_does_not_reach_the_run_cannot_speak_for_it(start, now):
    with pytest.raises(NotAllowed, match="does not reach"):
        hear_run(run_id=start().pk, said={}, actor=replace(NIGHTLY, reach=Reach(models=frozenset({"other"}))), now=now)


def test_a_run_that_ended_is_answered_with_the_one_that_stands(start, now):
    run = start()
    done = record_run(submission=parse(run_body(3, 12)), actor=NIGHTLY, now=now).run
    for pk in (run.pk, done.pk):
        with pytest.raises(RunEnded) as ended:
            hear_run(run_id=pk, said={"completed": 12}, actor=NIGHTLY, now=now)
        assert ended.value.run == done
        assert "stands as success" in str(ended.value)
    assert counts(run, "completed") == (None,)


def test_a_run_that_was_never_started_takes_no_sign(now):
    done = record_run(submission=parse(run_body(3, 12)), actor=NIGHTLY, now=now).run
    with pytest.raises(RunEnded, match=f"{done.ref} stands as success"):
        course_of(done.pk, NIGHTLY)


def test_a_run_that_was_marked_invalid_takes_no_sign(start, ben, now):
    run = start()
    invalidate_run(run_id=run.pk, reason="wrong weights", actor=ben.as_actor(), now=now)
    with pytest.raises(RunEnded, match="was marked invalid by Ben Eval"):
        hear_run(run_id=run.pk, said={}, actor=NIGHTLY, now=now)


def test_only_what_is_silent_too_long_is_overdue(start, now):
    run, later = start(heartbeat_seconds=20, external_id="1"), start(heartbeat_seconds=40, external_id="2")
    assert overdue(now=now + MINUTE - dt.timedelta(seconds=1)) == []
    assert overdue(now=now + MINUTE) == [run.pk]
    assert overdue(now=now + 5 * MINUTE) == [run.pk, later.pk]
    assert overdue(now=now + 5 * MINUTE, after=run.pk) == [later.pk]
    assert overdue(now=now + 5 * MINUTE, limit=1) == [run.pk]


def test_a_run_is_given_up_once_and_only_when_it_is_overdue(start, now):
    run, late = start(), now + 20 * MINUTE
    assert give_up(run_id=run.pk, now=now) is None
    assert give_up(run_id=run.pk, now=late) == run
    assert counts(run, "due", "lost") == (None, late)
    assert give_up(run_id=run.pk, now=late) is None


def test_a_run_that_has_ended_is_forgotten_and_not_given_up(start, now):
    run, late = start(), now + 20 * MINUTE
    record_run(submission=parse(run_body(3, 12)), actor=NIGHTLY, now=now)
    assert overdue(now=late) == [run.pk]
    assert give_up(run_id=run.pk, now=late) is None
    assert (overdue(now=late), counts(run, "lost")) == ([], (None,))


def test_a_run_that_was_marked_invalid_is_not_given_up(start, ben, now):
    run = start()
    invalidate_run(run_id=run.pk, reason="wrong weights", actor=ben.as_actor(), now=now)
    assert give_up(run_id=run.pk, now=now + 20 * MINUTE) is None


def test_what_runs_is_what_is_waited_for(start, now):
    run, other = start(external_id="1"), start(external_id="2")
    record_run(submission=parse(run_body(3, 12, external_id="1")), actor=NIGHTLY, now=now)
    assert (run in running(), list(running())) == (False, [other])


def lost(now, days, **more):
    body = run_body(status="lost", completed=(now + dt.timedelta(days=days)).isoformat(), **more)
    return record_run(submission=parse(body), actor=NIGHTLY, now=now).run


def test_a_loss_stands_until_a_later_complete_run_makes_up_for_it(now, days):
    gone = lost(now, -3)
    assert list(losses()) == [gone]
    record_run(submission=parse(run_body(3, 12, external_id="before", completed=days(-4))), actor=NIGHTLY, now=now)
    record_run(submission=parse(run_body(status="error", external_id="failed", completed=days(-2))), actor=NIGHTLY, now=now)
    assert list(losses()) == [gone]
    record_run(submission=parse(run_body(3, 12, external_id="after", completed=days(-1))), actor=NIGHTLY, now=now)
    assert list(losses()) == []


def test_a_loss_that_a_person_marked_invalid_stands_no_more(now, ben):
    invalidate_run(run_id=lost(now, -3).pk, reason="a test of the rig", actor=ben.as_actor(), now=now)
    assert list(losses()) == []


def test_a_run_that_made_up_for_a_loss_and_is_withdrawn_makes_up_for_nothing(now, ben, days):
    gone = lost(now, -3)
    good = record_run(submission=parse(run_body(3, 12, external_id="after", completed=days(-1))), actor=NIGHTLY, now=now).run
    invalidate_run(run_id=good.pk, reason="wrong weights", actor=ben.as_actor(), now=now)
    assert list(losses()) == [gone]


def test_a_run_whose_clock_ran_ahead_makes_up_for_no_loss_after_it(now):
    ahead = (now + dt.timedelta(minutes=59)).isoformat()
    record_run(submission=parse(run_body(3, 12, external_id="ahead", completed=ahead)), actor=NIGHTLY, now=now)
    later = now + dt.timedelta(minutes=10)
    gone = record_run(submission=parse(run_body(status="lost", external_id="gone")), actor=NIGHTLY, now=later).run
    assert list(losses()) == [gone]
