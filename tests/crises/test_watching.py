"""A started run to its end: lost, heard of again, finished in time or late, and by how many workers at once."""

import datetime as dt

import pytest

from accounts.models import User
from alerts.models import Alert
from audit import log
from audit.models import Entry
from crises import tasks
from crises.response import receive_run
from crises.watching import finish_run, hear_run, lose_run
from evals.heartbeats import RunEnded, overdue
from evals.ingest import ContentDiffers, invalidate_run
from evals.models import EvalRun, Heartbeat
from evals.submissions import InvalidSubmission, parse
from tests.conftest import NIGHTLY, on_postgres, run_body
from thresholds.models import LevelStatus

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("small", "aurora", "ada")]
SOLVED = {"measurements": [{"metric": "solved", "solved": 0, "total": 500}]}


@pytest.fixture
def late(now):
    return now + dt.timedelta(hours=1)


@pytest.fixture
def receive(now):
    return lambda *solved, **more: EvalRun.objects.get(
        pk=receive_run(submission=parse(run_body(*solved, **more)), actor=NIGHTLY, now=now).reply["id"]
    )


@pytest.fixture
def start(receive):
    return lambda **more: receive(status="started", **more)


@pytest.fixture
def silent(start, late):
    """A start that was given up as lost; and the run that says so."""
    run = start()
    assert lose_run(run_id=run.pk, now=late)
    return run, EvalRun.objects.get(status="lost")


def hear(run, now, **said):
    return hear_run(run_id=run.pk, said=said, actor=NIGHTLY, now=now)


def finish(run, now, **rest):
    return finish_run(run_id=run.pk, rest=rest, actor=NIGHTLY, now=now)


def statuses():
    return list(EvalRun.objects.order_by("pk").values_list("status", "revision"))


def test_a_loss_is_the_next_revision_and_leaves_the_start_as_it_was(start, now, late):
    run = start(started=now.isoformat(), coverage={"planned": 100}, provenance={"commit": "1f0c2d7"})
    before = EvalRun.objects.values().get(pk=run.pk)
    hear(run, now, completed=30, errored=2)
    lose_run(run_id=run.pk, now=late)
    lost = EvalRun.objects.get(supersedes=run)
    assert EvalRun.objects.values().get(pk=run.pk) == before
    assert (lost.status, lost.revision, lost.posted_by, lost.complete) == ("lost", 2, "system:system", False)
    assert (lost.started, lost.completed, lost.received, lost.planned, lost.finished, lost.errored) == (now, now, late, 100, 30, 2)
    assert lost.provenance == {"commit": "1f0c2d7", "reason": f"Nothing was heard of it after {now:%Y-%m-%dT%H:%M:%SZ}."}


def test_a_loss_is_on_record_and_told_once(start, ada, late):
    run = start()
    assert (lose_run(run_id=run.pk, now=late), lose_run(run_id=run.pk, now=late)) == (True, False)
    mail = Alert.objects.get()
    assert (mail.event, mail.recipient, mail.thread, mail.queued) == ("run.lost", ada, f"run.{run.pk}", late)
    entry = Entry.objects.get(action="evals.run.lose")
    assert (entry.about, entry.actor, entry.data["run"]) == (f"run:{run.pk}", "system", EvalRun.objects.get(status="lost").pk)
    assert log.verify() is None


def test_a_loss_with_nobody_to_tell_is_itself_on_record(start, late):
    User.objects.update(alerted=False)
    assert lose_run(run_id=start().pk, now=late)
    assert (Alert.objects.count(), Entry.objects.filter(action="alerts.alert.nobody").count()) == (0, 1)


def test_a_level_that_was_clear_is_not_after_a_newer_run_was_lost(receive, start, late, days):
    receive(0, 500, external_id="before", completed=days(-3))
    assert LevelStatus.objects.get().state == "clear"
    lose_run(run_id=start().pk, now=late)
    assert LevelStatus.objects.get().state == "inconclusive"
    assert "Cyber uplift cannot be read as clear by it." in Alert.objects.get().message["situation"]


def test_a_run_that_came_after_the_last_sign_is_not_doubted_by_the_loss(receive, start, now, late):
    run = start()
    receive(0, 500, external_id="2", completed=(now + dt.timedelta(minutes=5)).isoformat())
    lose_run(run_id=run.pk, now=late)
    assert LevelStatus.objects.get().state == "clear"


def test_a_start_whose_clock_runs_ahead_is_lost_all_the_same(start, now):
    run = start(started=(now + dt.timedelta(minutes=50)).isoformat())
    assert lose_run(run_id=run.pk, now=now + dt.timedelta(minutes=16))
    assert EvalRun.objects.get(status="lost").started is None


def test_numbers_of_any_size_in_a_start_keep_no_loss_from_being_told(start, late):
    run = start(elicitation={"x": 1e300, "parts": [1e25, "a"]}, provenance={"y": -0.0})
    assert lose_run(run_id=run.pk, now=late)


def test_a_sign_of_a_lost_run_takes_it_up_again(silent, late):
    run, lost = silent
    heard = hear(run, late, completed=40, planned=100)
    assert statuses() == [("started", 1), ("lost", 2), ("started", 3)]
    assert (heard.run.supersedes, heard.run.posted_by, heard.ring) == (lost, run.posted_by, True)
    assert Heartbeat.objects.values_list("due", "completed", "beats").get(run=heard.run) == (heard.due, 40, 1)
    assert (LevelStatus.objects.get().state, list(Alert.objects.values_list("event", "thread").order_by("pk"))) == (
        "no_result",
        [("run.lost", f"run.{run.pk}"), ("run.heard", f"run.{run.pk}")],
    )
    entry = Entry.objects.get(action="evals.run.revive")
    assert (entry.about, entry.actor, entry.data["lost"]) == (f"run:{heard.run.pk}", "nightly", lost.pk)


def test_what_was_said_and_declared_before_a_loss_holds_after_it(start, now, late):
    run = start(heartbeat_seconds=60)
    hear(run, now, completed=40, tokens=9)
    lose_run(run_id=run.pk, now=late)
    heard = hear(run, late, completed=10)
    kept = Heartbeat.objects.values_list("every", "completed", "tokens", "beats").get(run=heard.run)
    assert (kept, heard.due) == ((60, 40, 9, 2), late + dt.timedelta(minutes=3))


def test_a_run_goes_on_under_its_first_name(silent, late):
    run, _ = silent
    again = hear(run, late).run
    assert [hear(each, late).run for each in (run, again)] == [again, again]
    assert hear(EvalRun.objects.get(status="lost"), late).run == again
    assert len(statuses()) == 3


def test_a_run_may_be_lost_again_which_is_told_again(silent, late):
    run, _ = silent
    again = hear(run, late).run
    much_later = late + dt.timedelta(hours=1)
    assert (overdue(now=much_later), lose_run(run_id=again.pk, now=much_later)) == ([again.pk], True)
    assert list(Alert.objects.values_list("event", flat=True).order_by("pk")) == ["run.lost", "run.heard", "run.lost"]
    assert Alert.objects.values("thread").distinct().count() == 1


def test_a_loss_that_its_producer_reported_is_taken_back_by_no_sign(start, receive, late):
    run = start()
    lost = receive(status="lost")
    with pytest.raises(RunEnded) as ended:
        hear(run, late)
    assert ended.value.run == lost


def test_a_loss_that_a_person_put_away_is_not_taken_up_again(silent, late, ben):
    run, lost = silent
    invalidate_run(run_id=lost.pk, reason="a test of the rig", actor=ben.as_actor(), now=late)
    with pytest.raises(RunEnded, match="was marked invalid"):
        hear(run, late)
    with pytest.raises(RunEnded):
        finish(run, late, **SOLVED)


def test_a_finish_adds_to_what_the_start_said(start, now, late):
    said = {"provenance": {"commit": "1f0c2d7", "rig": "a"}, "relationship": "third_party"}
    run = start(started=now.isoformat(), coverage={"planned": 500}, **said)
    answer = finish(run, late, **SOLVED, provenance={"rig": "b"}, elicitation={"attempts": 4}, coverage={"completed": 500, "scored": 500})
    done = EvalRun.objects.get(pk=answer.reply["id"])
    assert (answer.created, done.supersedes, done.status, done.complete, done.relationship) == (True, run, "success", True, "third_party")
    assert (done.started, done.planned, done.finished) == (now, 500, 500)
    assert (done.provenance, done.elicitation) == ({"commit": "1f0c2d7", "rig": "b"}, {"attested_by": "Ben", "attempts": 4})
    assert (LevelStatus.objects.get().state, overdue(now=late + dt.timedelta(days=9))) == ("clear", [])


def test_a_plan_that_only_the_signs_named_holds_at_the_finish(start, now, late):
    run = start()
    hear(run, now, planned=600, completed=500)
    answer = finish(run, late, **SOLVED)
    assert (EvalRun.objects.get(pk=answer.reply["id"]).planned, answer.reply["complete"]) == (600, False)


def test_an_end_never_has_a_smaller_plan_than_its_start_or_signs(receive, start, now, late):
    by_start, by_sign = start(coverage={"planned": 600}), start(external_id="2")
    hear(by_sign, now, planned=600)
    finished = finish(by_start, late, **SOLVED, coverage={"planned": 500, "completed": 500, "scored": 500})
    posted = receive(0, 500, external_id="2", coverage={"planned": 500, "completed": 500, "scored": 500})
    ends = [EvalRun.objects.get(pk=finished.reply["id"]), posted]
    assert [(run.planned, run.finished, run.complete) for run in ends] == [(600, 500, False)] * 2
    assert LevelStatus.objects.get().state != "clear"


def test_a_plan_that_was_named_by_mistake_is_corrected_by_name(receive, start, late):
    first = finish(start(coverage={"planned": 600}), late, **SOLVED, coverage={"planned": 500}).reply["id"]
    again = receive(0, 500, coverage={"planned": 500}, supersedes=first)
    assert (again.planned, again.complete) == (500, True)


def test_a_start_that_a_person_marked_invalid_is_ended_by_name_only(receive, start, ada, now):
    run = start()
    invalidate_run(run_id=run.pk, reason="Wrong weights.", actor=ada.as_actor(), now=now)
    with pytest.raises(ContentDiffers):
        receive(0, 500)
    assert receive(0, 500, supersedes=run.pk).revision == 2


def test_a_run_that_names_no_time_began_when_its_start_was_received_at_the_latest(start, now, late):
    answer = finish(start(), late, **SOLVED)
    assert EvalRun.objects.values_list("started", "completed").get(pk=answer.reply["id"]) == (now, late)


def test_the_same_finish_again_gets_the_same_answer_and_another_one_is_refused(start, now, late):
    run = start()
    hear(run, now, planned=500)
    first = finish(run, late, **SOLVED)
    again = finish(run, late + dt.timedelta(hours=1), **SOLVED)
    assert (again.created, again.reply) == (False, {**first.reply, "replayed": True})
    with pytest.raises(ContentDiffers):
        finish(run, late, measurements=[{"metric": "solved", "solved": 1, "total": 500}])
    assert statuses() == [("started", 1), ("success", 2)]


def test_a_late_finish_ends_a_loss_and_says_that_it_was_late(silent, late):
    run, lost = silent
    answer = finish(run, late, **SOLVED)
    assert EvalRun.objects.get(pk=answer.reply["id"]).supersedes == lost
    assert "It came after it had been given up as lost." in answer.reply["notes"]
    assert (LevelStatus.objects.get().state, Alert.objects.count()) == ("clear", 1)


def test_the_whole_run_posted_as_ever_ends_a_loss_too(silent, receive):
    _, lost = silent
    assert receive(0, 500).supersedes == lost
    assert LevelStatus.objects.get().state == "clear"


def test_a_rehearsed_finish_ends_nothing(start, now, late):
    run = start()
    answer = finish_run(run_id=run.pk, rest=SOLVED, actor=NIGHTLY, now=late, dry_run=True)
    assert answer.reply["verdicts"][0]["state"] == "clear"
    assert (statuses(), overdue(now=late)) == ([("started", 1)], [run.pk])


@pytest.mark.parametrize(
    ("rest", "pointer"),
    [
        ({**SOLVED, "checkpoint": "aurora-1"}, "/checkpoint"),
        ({**SOLVED, "external_id": "2"}, "/external_id"),
        ({**SOLVED, "supersedes": 1}, "/supersedes"),
        ({"status": "started"}, "/status"),
        ({}, "/measurements"),
        ({**SOLVED, "coverage": [1]}, "/coverage"),
        ({**SOLVED, "elicitation": "none"}, "/elicitation"),
        ({**SOLVED, "extra": 1}, "/extra"),
    ],
)
def test_a_finish_that_cannot_be_is_refused_and_ends_nothing(start, late, rest, pointer):
    run = start()
    with pytest.raises(InvalidSubmission) as refused:
        finish(run, late, **rest)
    assert [fault.pointer for fault in refused.value.errors] == [pointer]
    assert (statuses(), overdue(now=late)) == ([("started", 1)], [run.pk])


def test_a_pass_gives_up_whatever_is_silent_and_rings(start, monkeypatch):
    rings = []
    monkeypatch.setattr(tasks, "nudge", lambda: rings.append(1))
    for name in ("1", "2", "3"):
        start(external_id=name)
    assert (tasks.watch_runs(), rings) == (0, [])
    Heartbeat.objects.exclude(run__external_id="2").update(due=dt.datetime(2026, 1, 1, tzinfo=dt.UTC))
    assert (tasks.watch_runs(), tasks.watch_runs(), rings) == (2, 0, [1])
    assert set(EvalRun.objects.filter(status="lost").values_list("external_id", flat=True)) == {"1", "3"}


def test_a_run_that_cannot_be_given_up_keeps_no_other_from_it(start, late, monkeypatch, caplog):
    first, second = start(external_id="1"), start(external_id="2")
    Heartbeat.objects.update(due=dt.datetime(2026, 1, 1, tzinfo=dt.UTC))
    lose = tasks.watching.lose_run

    def break_on_the_first(*, run_id, now):
        if run_id == first.pk:
            raise ZeroDivisionError
        return lose(run_id=run_id, now=now)

    with monkeypatch.context() as broken:
        broken.setattr(tasks.watching, "lose_run", break_on_the_first)
        assert tasks.watch_runs() == 1
    assert "could not be acted on" in caplog.text
    assert (EvalRun.objects.get(status="lost").supersedes, tasks.watch_runs()) == (second, 1)


def concurrently(test):
    return on_postgres(pytest.mark.postgres(pytest.mark.django_db(transaction=True)(test)))


@concurrently
def test_passes_at_the_same_moment_give_up_once_and_tell_once(start, late, at_once):
    run = start()
    done = at_once(lambda _: lose_run(run_id=run.pk, now=late), range(8))
    assert sorted(done) == [False] * 7 + [True]
    assert (statuses(), Alert.objects.count(), log.verify()) == ([("started", 1), ("lost", 2)], 1, None)


@concurrently
def test_signs_at_the_same_moment_take_a_lost_run_up_once(silent, late, at_once):
    run, _ = silent
    heard = at_once(lambda number: hear(run, late, completed=number), range(8))
    assert {each.run.pk for each in heard} == {EvalRun.objects.get(revision=3).pk}
    assert (statuses()[2:], Alert.objects.filter(event="run.heard").count(), log.verify()) == ([("started", 3)], 1, None)
    assert Heartbeat.objects.get(run__revision=3).completed == 7


@concurrently
def test_a_finish_and_a_pass_at_the_same_moment_leave_the_result_standing(start, late, at_once):
    for number in range(6):
        run = start(external_id=str(number))
        acts = [lambda run=run: finish(run, late, **SOLVED), lambda run=run: lose_run(run_id=run.pk, now=late)]
        done, _ = at_once(lambda act: act(), acts)
        assert done.created, done
        newest = EvalRun.objects.filter(external_id=str(number)).latest("revision")
        lost = EvalRun.objects.filter(external_id=str(number), status="lost").count()
        assert (newest.status, Alert.objects.filter(dedup_key__startswith=f"lost:{run.pk}:").count()) == ("success", lost)


@concurrently
def test_a_post_and_a_pass_at_the_same_moment_leave_the_result_standing(start, receive, late, at_once):
    for number in range(6):
        run = start(external_id=str(number))
        acts = [lambda number=number: receive(0, 500, external_id=str(number)), lambda run=run: lose_run(run_id=run.pk, now=late)]
        done = at_once(lambda act: act(), acts)
        assert isinstance(done[0], EvalRun), done
        assert EvalRun.objects.filter(external_id=str(number)).latest("revision").status == "success"


def test_a_start_that_its_producer_calls_lost_is_an_alarm_once_the_wait_is_over(start, receive, now, late):
    run = start()
    receive(status="lost")
    assert not lose_run(run_id=run.pk, now=now)
    assert not Alert.objects.exists()
    assert (lose_run(run_id=run.pk, now=late), lose_run(run_id=run.pk, now=late)) == (True, False)
    assert Alert.objects.get().event == "run.lost"
    assert "Cyber uplift cannot be read as clear" in str(Alert.objects.get().message)
    assert statuses() == [("started", 1), ("lost", 2)]


def test_a_start_that_was_called_lost_and_then_ended_is_no_alarm(start, receive, late):
    run = start()
    receive(status="lost")
    receive(0, 500)
    assert not lose_run(run_id=run.pk, now=late)
    assert not Alert.objects.exists()
