"""A crossing, followed over HTTP from the post to the gate that turns to pass."""

from datetime import timedelta
from email import message_from_bytes

import pytest
from django.conf import settings
from django.db import connection
from django.test import Client
from django.utils import timezone

from alerts.delivery import claim_due, deliver_one
from alerts.models import Alert
from audit import log
from audit.models import Entry
from crises.models import Crisis
from evals.models import EvalResult, EvalRun
from thresholds.models import Assessment, Crossing, LevelStatus

pytestmark = pytest.mark.django_db


def gate(pipeline, stage="external"):
    return pipeline.get("gate/", checkpoint="aurora-1", stage=stage).json()


def signed_in(user):
    client = Client()
    client.force_login(user)
    return client


def deliver(now):
    for alert_id in claim_due(now=now, limit=10, lease=timedelta(minutes=1)):
        deliver_one(alert_id=alert_id, now=now)


def test_a_crossing_is_told_worked_through_and_opens_the_gate(pipeline, small, aurora, ada, ben):
    assert gate(pipeline)["verdict"] == "unknown"

    answer = pipeline.run(3, 12)
    reply = answer.json()
    assert answer.status_code == 201
    assert [verdict["state"] for verdict in reply["verdicts"]] == ["alert", "alert"]
    assert reply["crossings"] == [{"level": "small-1.0.uplift", "kind": "alert", "episode": 1}]
    assert reply["crises"][0]["opened"] is True
    assert reply["alerts_queued"] == 1
    assert gate(pipeline)["verdict"] == "hold"

    deliver(timezone.now())
    (mail,) = list(settings.EMAIL_FILE_PATH.glob("*.eml"))
    message = message_from_bytes(mail.read_bytes())
    crisis = Crisis.objects.get()
    assert message["To"] == "ada@example.org"
    assert message["Message-ID"] == Alert.objects.get().message_id
    assert f"/crises/{crisis.pk}/" in message.get_payload(0).get_payload(decode=True).decode()

    lead, engineer = signed_in(ada), signed_in(ben)
    page = f"/crises/{crisis.pk}/"
    lead.post(f"{page}acknowledge/")
    lead.post(f"{page}start/")
    item = crisis.checklist.items.get()
    engineer.post(f"{page}items/{item.pk}/evidence/", {"summary": "Recall 0.95 at 1 % of benign traffic, n 400.", "link": "", "sha256": ""})
    engineer.post(f"{page}items/{item.pk}/sign-off/", {"note": ""})
    assert item.sign_offs.count() == 0
    lead.post(f"{page}items/{item.pk}/sign-off/", {"note": "Read the report."})
    assert item.sign_offs.get().signed_by == ada
    assert gate(pipeline)["verdict"] == "hold"
    lead.post(f"{page}ready/")

    crisis.refresh_from_db()
    assert crisis.state == "ready"
    answer = gate(pipeline)
    assert (answer["verdict"], answer["reasons"]) == ("pass", [])
    assert log.verify() is None


def test_posting_the_same_run_twice_changes_nothing(pipeline, small, aurora, ada):
    first = pipeline.run(3, 12)
    counts = [model.objects.count() for model in (EvalRun, EvalResult, Assessment, Crossing, Crisis, Alert, Entry)]
    second = pipeline.run(3, 12)
    assert (first.status_code, second.status_code) == (201, 200)
    assert second.json() == {**first.json(), "replayed": True}
    assert [model.objects.count() for model in (EvalRun, EvalResult, Assessment, Crossing, Crisis, Alert, Entry)] == counts


@pytest.mark.django_db(transaction=True)
def test_with_the_outbox_broken_nothing_at_all_is_stored(pipeline, small, aurora, ada):
    entries = Entry.objects.count()
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE alerts_alert RENAME TO alerts_away")
    try:
        answer = pipeline.run(3, 12)
    finally:
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE alerts_away RENAME TO alerts_alert")
    assert answer.status_code == 503
    assert answer.json()["code"] == "unavailable"
    assert [model.objects.count() for model in (EvalRun, EvalResult, Assessment, LevelStatus, Crossing, Crisis)] == [0] * 6
    assert Entry.objects.count() == entries
    assert pipeline.run(3, 12).status_code == 201
