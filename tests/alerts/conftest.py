import datetime as dt
import os
import socket
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
import pytest
from aiosmtpd.controller import Controller
from django.db import connection

from accounts.models import User
from alerts.message import Message
from alerts.outbox import queue

NOW = dt.datetime(2026, 11, 16, 14, 2, tzinfo=dt.UTC)
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def now():
    return NOW


@pytest.fixture
def mailoutbox(settings, mailoutbox):
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    return mailoutbox


@pytest.fixture
def ada(db):
    return User.objects.create_user("ada", "ada@example.org", first_name="Ada", last_name="Lead", alerted=True)


@pytest.fixture
def ben(db):
    return User.objects.create_user("ben", "ben@example.org", alerted=True, time_zone="Asia/Tokyo")


def said(**changes):
    """What a mail says in these tests, but for the changes."""
    facts = [["Score", "0.71 (0.64 to 0.77, 95%)"], ["Received", {"time": NOW.isoformat()}]]
    return Message(
        **{
            "subject": "[ALERT] Cyber Uplift 1, Aurora 3 Pro: 0.71 (alert 0.60)",
            "headline": "Aurora 3 Pro scored 0.71 on Cyber Uplift 1. Alert 0.60 is reached; critical 0.80 is not.",
            "situation": "7 of 11 mitigations are ready.",
            "ask": "Acknowledge within an hour.",
            "facts": facts,
            "bar": {"point": 0.71, "alert": 0.6, "critical": 0.8},
            "link": "https://fsf.example.org/crises/4/",
            "link_text": "Review and acknowledge",
            "why": "You are alerted to every crossing.",
            "severity": "alert",
            "list_id": "Cyber Uplift 1",
            "list_name": "FSF alerts, Cyber Uplift 1",
            "thread_topic": "Cyber Uplift 1, Aurora 3 Pro [CR-4]",
            **changes,
        }
    )


@pytest.fixture
def tell():
    """Queues one alert to each of the people given."""

    def tell(*people, message=None, dedup="crossing.9", thread="crisis.4", now=NOW, first=False):
        told = {"event": "threshold.alert_reached", "message": message or said(), "recipients": people}
        return queue(**told, thread=thread, now=now, dedup=dedup, first=first)

    return tell


@dataclass
class Postbox:
    """An SMTP server's handler: keeps what it takes, and answers the addresses in `refused` with that line."""

    port: int
    refused: dict[str, str] = field(default_factory=dict)
    before_answer: list = field(default_factory=list)
    taken: list = field(default_factory=list)

    async def handle_RCPT(self, server, session, envelope, address, options):  # noqa: N802, ARG002 - aiosmtpd's own
        if address in self.refused:
            return self.refused[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):  # noqa: N802, ARG002 - aiosmtpd's own
        for act in self.before_answer:
            act()
        self.taken.append(envelope)
        return "250 OK"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture
def postbox():
    box = Postbox(free_port())
    server = Controller(box, hostname="127.0.0.1", port=box.port)
    server.start()
    yield box
    server.stop()


@pytest.fixture
def smtp(settings, postbox):
    """Mail goes by SMTP to the postbox."""
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT, settings.EMAIL_TIMEOUT = "127.0.0.1", postbox.port, 5
    return postbox


@dataclass
class Rig:
    """A database of its own and worker processes on it, to be killed."""

    env: dict[str, str]

    def start(self, code):
        body = f"import django; django.setup()\nfrom alerts import delivery\nfrom django.utils import timezone\n{code}"
        return subprocess.Popen([sys.executable, "-c", body], cwd=ROOT, env=self.env, stdout=subprocess.PIPE, text=True)

    def run(self, code):
        return self.end(self.start(code), 0)

    def end(self, process, status):
        out, _ = process.communicate(timeout=60)
        assert process.returncode == status
        return out.strip()

    def queue_for(self, *names):
        self.run(
            "from accounts.models import User\nfrom alerts.message import Message\nfrom alerts.outbox import queue\n"
            f"people = [User.objects.create(username=name, email=name + '@example.org') for name in {names}]\n"
            "message = Message(subject='s', headline='h')\n"
            "queue(event='e', thread='crisis.4', message=message, recipients=people, now=timezone.now(), dedup='d')"
        )


def own_database(folder):
    """The environment of processes that share an empty database: a SQLite file, or a PostgreSQL database beside the tests' own."""
    kept = {key: value for key, value in os.environ.items() if key not in {"DATABASE_URL", "REDIS_URL", "FSF_ENV"}}
    env = {**kept, "DJANGO_SETTINGS_MODULE": "fsf.settings", "FSF_VAR": str(folder), "FSF_LOG_LEVEL": "CRITICAL"}
    database = connection.settings_dict
    if connection.vendor == "postgresql":
        names = {"host": "HOST", "port": "PORT", "user": "USER", "password": "PASSWORD"}
        login = {key: database[name] for key, name in names.items() if database[name]}
        with psycopg.connect(dbname="postgres", autocommit=True, **login) as server:
            server.execute("DROP DATABASE IF EXISTS fsf_alerts_rig WITH (FORCE)")
            server.execute("CREATE DATABASE fsf_alerts_rig")
        place = {"user": "", "password": "", "host": "", "port": 5432, **login}
        env["DATABASE_URL"] = "postgres://{user}:{password}@{host}:{port}/fsf_alerts_rig".format_map(place)
    return env


@pytest.fixture(scope="session")
def rig_env(tmp_path_factory):
    env = own_database(tmp_path_factory.mktemp("rig"))
    Rig(env).run("from django.core.management import call_command; call_command('migrate', verbosity=0)")
    return env


@pytest.fixture
def rig(rig_env, postbox):
    return Rig({**rig_env, "EMAIL_URL": f"smtp://127.0.0.1:{postbox.port}"})
