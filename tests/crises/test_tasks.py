import datetime as dt
from functools import partial

import pytest
from django.utils import timezone

from alerts.models import Alert
from crises import tasks
from crises.models import Crisis
from crises.response import unanswered
from evals.ingest import record_run
from evals.models import EvalResult
from evals.submissions import parse
from tests.conftest import NIGHTLY, run_body
from thresholds.models import LevelStatus
from thresholds.signdown import sign_down
from thresholds.withdrawal import withdraw_run

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("small", "aurora", "ada")]


@pytest.fixture
def rung(monkeypatch):
    """How often the bell was rung."""
    rings = []
    monkeypatch.setattr(tasks, "nudge", lambda: rings.append(1))
    return rings


@pytest.fixture
def stored(now):
    return lambda *counts, **more: record_run(submission=parse(run_body(*counts, **more)), actor=NIGHTLY, now=now).run


def test_a_sweep_with_nothing_to_do_does_nothing(rung):
    assert (tasks.sweep(), rung) == (0, [])


def test_a_sweep_answers_what_came_by_another_door_and_rings(stored, rung):
    stored(30, 100)
    assert (tasks.sweep(), Crisis.objects.count(), Alert.objects.count(), rung) == (1, 1, 1, [1])
    assert (tasks.sweep(), Alert.objects.count(), rung) == (0, 1, [1])


def test_a_sweep_that_told_nobody_anything_does_not_ring(stored, rung):
    stored(0, 500)
    assert (tasks.sweep(), rung) == (1, [])
    assert LevelStatus.objects.get().state == "clear"


def test_a_run_that_cannot_be_judged_keeps_no_other_from_being_told(stored, rung, monkeypatch, caplog):
    bad, good = stored(30, 100, external_id="1"), stored(30, 100, external_id="2")
    judge = tasks.response.respond_later

    def break_on_the_first(*, run_id, now):
        if run_id == bad.pk:
            raise ZeroDivisionError
        return judge(run_id=run_id, now=now)

    with monkeypatch.context() as broken:
        broken.setattr(tasks.response, "respond_later", break_on_the_first)
        assert (tasks.sweep(), Crisis.objects.count(), rung) == (1, 1, [1])
    assert "could not be acted on" in caplog.text
    bad.refresh_from_db()
    good.refresh_from_db()
    assert (bad.judged, good.judged is not None) == (None, True)
    assert tasks.sweep() == 1


def test_a_sweep_escalates_what_nobody_acknowledged(post, rung):
    post(30, 100)
    Crisis.objects.update(next_step=timezone.now() - dt.timedelta(seconds=1))
    assert (tasks.sweep(), Alert.objects.count(), rung) == (1, 2, [1])
    assert tasks.sweep() == 0


def test_a_crisis_that_cannot_be_escalated_keeps_no_other_from_it(enact, aurora, post, rung, monkeypatch):
    enact(levels=[{}, {"slug": "second"}], slug="pair")
    post(30, 100)
    Crisis.objects.update(next_step=timezone.now() - dt.timedelta(seconds=1))
    first = Crisis.objects.order_by("pk")[0].pk
    escalate = tasks.escalation.escalate_overdue

    def break_on_the_first(*, crisis_id, now):
        if crisis_id == first:
            raise ZeroDivisionError
        return escalate(crisis_id=crisis_id, now=now)

    monkeypatch.setattr(tasks.escalation, "escalate_overdue", break_on_the_first)
    assert tasks.sweep() == Crisis.objects.count() - 1


def test_a_sweep_hears_an_alert_that_stands_again(post, ada, now, rung):
    post(30, 100, day=-3)
    reassuring = post(0, 500, day=-1)
    sign_down(status_id=LevelStatus.objects.get().pk, reason="Ruled out.", actor=ada.as_actor(), now=now)
    withdraw_run(run_id=reassuring["id"], reason="wrong weights", actor=ada.as_actor(), now=now)
    assert (tasks.sweep(), Alert.objects.count(), rung) == (1, 2, [1])
    assert tasks.sweep() == 0


@pytest.fixture
def unjudgeable(stored):
    """Stores a run and makes of its result what cannot be: more solved than there were."""

    def unjudgeable(external_id):
        run = stored(3, 12, external_id=external_id)
        EvalResult.objects.filter(run=run).update(solved=99)
        return run

    return unjudgeable


def test_a_result_that_cannot_be_is_tried_again_and_told_once_it_is_put_right(stored, unjudgeable, rung):
    broken = unjudgeable("broken")
    stored(0, 500, external_id="whole")
    assert (tasks.sweep(), LevelStatus.objects.get().state, broken.assessments.count()) == (1, "clear", 0)
    EvalResult.objects.filter(run=broken).update(solved=60, total=100)
    assert (tasks.sweep(), LevelStatus.objects.get().state, Alert.objects.count(), rung) == (1, "critical", 1, [1])


def test_no_number_of_unjudgeable_runs_hides_one_behind_them(stored, unjudgeable):
    broken = [unjudgeable(f"broken-{number}").pk for number in range(3)]
    whole = stored(30, 100, external_id="whole").pk
    assert unanswered(limit=2) == broken[:2]
    assert list(tasks._each(partial(unanswered, limit=1))) == [*broken, whole]


def test_a_pass_that_takes_too_long_leaves_the_next_page_to_the_pass_after_it(stored, monkeypatch):
    ids = [stored(0, 100, external_id=str(number)).pk for number in range(3)]
    moments = iter([0, 1, tasks.LONGEST + 1])
    monkeypatch.setattr(tasks, "monotonic", lambda: next(moments))
    assert list(tasks._each(partial(unanswered, limit=1))) == ids[:1]
