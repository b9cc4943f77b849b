import datetime as dt

import pytest
from django.utils import timezone

from alerts.models import Alert
from crises import tasks
from crises.models import Crisis
from evals.ingest import record_run
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
