import socket
import time

import pytest
from celery import current_app
from django.utils import timezone

from alerts import tasks
from alerts.models import Alert


@pytest.fixture
def broker_at(settings, monkeypatch):
    """Points Celery at a Redis broker on this port."""

    def broker_at(port):
        monkeypatch.setattr(current_app.conf, "broker_url", f"redis://127.0.0.1:{port}/0")
        monkeypatch.setattr(current_app.conf, "broker_write_url", f"redis://127.0.0.1:{port}/0")
        monkeypatch.setitem(current_app.conf, "broker_transport", "redis")

    return broker_at


def test_the_task_sends_what_is_due(ada, tell, mailoutbox):
    tell(ada, now=timezone.now())
    tasks.deliver_due()
    assert Alert.objects.get().state == "sent"
    assert len(mailoutbox) == 1


def test_the_beat_rings_for_the_task_by_its_name(settings):
    assert settings.CELERY_BEAT_SCHEDULE["deliver-alerts"]["task"] == tasks.deliver_due.name


def test_a_broker_that_is_down_costs_a_moment_and_a_line(broker_at, caplog):
    broker_at(1)
    began = time.monotonic()
    tasks.nudge()
    assert time.monotonic() - began < 1
    assert "the next tick will deliver" in caplog.text


def test_a_broker_that_hangs_costs_about_a_second(broker_at, caplog):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        broker_at(silent.getsockname()[1])
        began = time.monotonic()
        tasks.nudge()
        assert time.monotonic() - began < 2
    assert "the next tick will deliver" in caplog.text


def test_a_nudge_reaches_the_brokers_folder(settings, monkeypatch, tmp_path):
    for name in ("messages", "control"):
        (tmp_path / name).mkdir()
    folders = {"data_folder_in": "messages", "data_folder_out": "messages", "control_folder": "control"}
    settings.CELERY_BROKER_TRANSPORT_OPTIONS = {key: str(tmp_path / name) for key, name in folders.items()}
    monkeypatch.setattr(current_app.conf, "broker_url", "filesystem://")
    monkeypatch.setattr(current_app.conf, "broker_write_url", "filesystem://")
    tasks.nudge()
    assert len(list((tmp_path / "messages").iterdir())) == 1
