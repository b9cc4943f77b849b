"""A run that is started and falls silent is lost, which is an alarm; its late result ends it."""

import datetime as dt

import pytest
from django.utils import timezone

from alerts.models import Alert
from crises import tasks
from evals.models import EvalRun, Heartbeat
from thresholds.models import LevelStatus

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("small", "aurora", "ada")]


def fall_silent():
    """Nothing is heard of any run for longer than is allowed."""
    past = timezone.now() - dt.timedelta(hours=1)
    EvalRun.objects.update(received=past)
    Heartbeat.objects.filter(due__isnull=False).update(seen=past, due=past + dt.timedelta(minutes=15))


def test_start_heartbeats_silence_loss_and_a_late_finish(pipeline, ada, client):
    client.force_login(ada)
    start = pipeline.run(status="started", coverage={"planned": 500}).json()
    assert (start["status"], start["notes"]) == ("started", ["The run has only started; it is judged when its results come."])
    for completed in (100, 300):
        heard = pipeline.send(f"runs/{start['id']}/heartbeat/", {"completed": completed, "planned": 500, "tokens": 1000 * completed})
        assert (heard.status_code, heard.json()["id"], heard.json()["status"]) == (200, start["id"], "started")
    assert tasks.watch_runs() == 0

    fall_silent()
    assert (tasks.watch_runs(), tasks.watch_runs()) == (1, 0)
    lost = pipeline.get("runs/", status="lost").json()["results"]
    assert [(run["supersedes"], run["scored"], run["planned"]) for run in lost] == [(start["id"], None, 500)]
    mail = Alert.objects.get()
    assert (mail.event, mail.severity, mail.state) == ("run.lost", "alert", "queued")
    assert f"{start['ref']}, ctf@1 on Aurora 1, is lost" in mail.message["headline"]
    assert ["Progress", "300 of 500 samples"] in mail.message["facts"]
    assert LevelStatus.objects.get().state == "inconclusive"
    assert "Runs without a result yet" in client.get("/").content.decode()

    done = pipeline.send(f"runs/{start['id']}/finish/", {"measurements": [{"metric": "solved", "solved": 0, "total": 500}]})
    assert (done.status_code, done.json()["status"], done.json()["complete"]) == (201, "success", True)
    assert [verdict["state"] for verdict in done.json()["verdicts"]] == ["clear", "clear"]
    assert LevelStatus.objects.get().state == "clear"
    assert "came after it was given up" in client.get("/checkpoints/aurora-1/").content.decode()
    assert "Runs without a result yet" not in client.get("/").content.decode()
    assert (tasks.watch_runs(), Alert.objects.count()) == (0, 1)
