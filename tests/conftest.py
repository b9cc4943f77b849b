"""Our people, a small framework, and a pipeline that posts over the API."""

import datetime as dt
import json
import os
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from importlib import import_module
from itertools import count
from pathlib import Path
from threading import Barrier

import hypothesis
import msgspec
import pytest
from django.apps import apps
from django.db import connection
from django.test import Client, TransactionTestCase
from django.utils import timezone

from accounts.models import ServiceAccount, User
from accounts.roles import SYSTEM, Actor, Kind, Role
from accounts.tokens import SCOPES, issue
from crises.response import receive_run
from evals.catalogue import register_checkpoint, register_model
from evals.submissions import parse
from fsf.management.commands.load_framework import load_with_plans
from tests import services
from thresholds import library

FIXTURES = Path(__file__).parent / "fixtures"

# The same examples at every run: what lands must not hang on luck. FSF_HYPOTHESIS=search looks for new ones.
hypothesis.settings.register_profile("suite", derandomize=True, deadline=None)
hypothesis.settings.register_profile("search", derandomize=False, deadline=None)
hypothesis.settings.load_profile(os.environ.get("FSF_HYPOTHESIS", "suite"))

append_only = import_module("audit.migrations.0002_append_only")
frozen = import_module("thresholds.migrations.0003_frozen")
flush = TransactionTestCase._fixture_teardown


def flush_all(self):
    """What is kept for good refuses to be emptied, by us too: its triggers stand aside only while the test database is flushed."""
    with connection.schema_editor() as editor:
        append_only.backwards(apps, editor)
        frozen.backwards(apps, editor)
    flush(self)
    with connection.schema_editor() as editor:
        append_only.forwards(apps, editor)
        frozen.forwards(apps, editor)


TransactionTestCase._fixture_teardown = flush_all


@pytest.fixture
def now():
    return timezone.now()


def person(username, role, **more):
    first, last = username.title(), role.value.split("_")[0].title()
    return User.objects.create_user(
        username, f"{username}@example.org", "correct-horse-battery", first_name=first, last_name=last, role=role, **more
    )


@pytest.fixture
def ada(db):
    return person("ada", Role.SAFETY_LEAD, alerted=True)


@pytest.fixture
def ben(db):
    return person("ben", Role.EVAL_ENGINEER)


@pytest.fixture
def cleo(db):
    return person("cleo", Role.AUDITOR)


@pytest.fixture
def dan(db):
    return person("dan", Role.MEMBER)


@pytest.fixture
def small(db):
    """A framework of one cyber level with an alert line at 0.2 and a critical line at 0.5, both on a suite of 12 or more tasks."""
    return load_with_plans(small_file())[0]


@cache
def small_file():
    return library.read_file(FIXTURES / "small-1.0.yaml")


@pytest.fixture
def enact(db):
    """Loads the small framework with changes: `levels` and `evaluations` as in a file, and whatever stands under `framework`."""

    def enact(levels=None, evaluations=None, **about):
        plain = msgspec.to_builtins(small_file())
        plain["framework"].update(about)
        plain["levels"] = [{**plain["levels"][0], **level} for level in levels or [{}]]
        plain["evaluations"] = [{**plain["evaluations"][0], **evaluation} for evaluation in evaluations or [{}]]
        return load_with_plans(msgspec.convert(plain, library.FrameworkFile))[0]

    return enact


@pytest.fixture
def thawed(db):
    """Published frameworks can be changed in place for one test, whose transaction is rolled back."""
    with connection.cursor() as cursor:
        for statement in frozen.SQLITE_BACK if connection.vendor == "sqlite" else ["SET CONSTRAINTS ALL IMMEDIATE", *frozen.POSTGRES_BACK]:
            cursor.execute(statement)


@pytest.fixture
def aurora(db, now):
    """A checkpoint of a model that the small framework governs."""
    model = register_model(slug="aurora", name="Aurora", developer="Northwind", actor=SYSTEM, now=now)
    return register_checkpoint(model=model, fields={"slug": "aurora-1", "name": "Aurora 1"}, actor=SYSTEM, now=now)


NIGHTLY = Actor(Kind.SERVICE, "nightly", 1)


def run_body(solved=None, total=None, *, external_id="1", checkpoint="aurora-1", evaluation="ctf@1", **more):
    """The body of a run: so many of so many solved, and whatever else is given."""
    measured = {} if solved is None else {"measurements": [{"metric": "solved", "solved": solved, "total": total}]}
    body = {"producer": {"name": "nightly"}, "external_id": external_id, "checkpoint": checkpoint, "evaluation": evaluation}
    return {**body, "elicitation": {"attested_by": "Ben"}, **measured, **more}


@pytest.fixture
def post(db, now):
    """Stores, judges and answers a run without HTTP; `day` is when it was completed, counted from today. Returns the reply."""
    numbers = count(1)

    def post(solved=None, total=None, *, day=None, **more):
        completed = {} if day is None else {"completed": (now + dt.timedelta(days=day)).isoformat()}
        body = run_body(solved, total, **{"external_id": str(next(numbers)), **completed, **more})
        return receive_run(submission=parse(body), actor=NIGHTLY, now=now).reply

    return post


PURPOSES = count(1)


class Pipeline:
    """Posts to the API as a service account."""

    def __init__(self, scopes=SCOPES):
        self.account, _ = ServiceAccount.objects.get_or_create(name="nightly", defaults={"created": timezone.now()})
        purpose = f"pipeline {next(PURPOSES)}"
        self.token, self.text = issue(account=self.account, scopes=scopes, now=timezone.now(), purpose=purpose)
        self.client = Client(raise_request_exception=False)

    def _headers(self):
        return {"authorization": f"Bearer {self.text}"}

    def get(self, path, **query):
        return self.client.get(f"/api/v1/{path}", query, headers=self._headers())

    def send(self, path, body):
        raw = body if isinstance(body, bytes | str) else json.dumps(body)
        return self.client.post(f"/api/v1/{path}", raw, content_type="application/json", headers=self._headers())

    def run(self, solved=None, total=None, **more):
        return self.send("runs/", run_body(solved, total, **more))


@pytest.fixture
def pipeline(db):
    return Pipeline()


@pytest.fixture
def days():
    return lambda number: (timezone.now() + dt.timedelta(days=number)).isoformat()


on_postgres = pytest.mark.skipif(connection.vendor != "postgresql", reason="the suite runs on another database")


@pytest.fixture
def at_once():
    """Calls a function in as many threads as there are arguments, all let go together; returns what each returned or raised."""

    def at_once(function, arguments):
        start = Barrier(len(arguments))

        def call(argument):
            try:
                start.wait(timeout=30)
                return function(argument)
            except Exception as wrong:  # noqa: BLE001 - handed to the test
                return wrong
            finally:
                connection.close()

        with ThreadPoolExecutor(len(arguments)) as pool:
            return list(pool.map(call, arguments))

    return at_once


@pytest.fixture(autouse=True)
def quick_passwords(settings):
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture(autouse=True)
def no_rate_limit(settings):
    settings.RATE_TOKEN = settings.RATE_FAILED = 0


@pytest.fixture(autouse=True)
def own_mail_folder(tmp_path, settings):
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # quick, and nobody's secret
    settings.EMAIL_BACKEND = "alerts.channels.eml.EmlBackend"
    settings.EMAIL_FILE_PATH = tmp_path / "mail"


def pytest_collection_modifyitems(items):
    """Parts that need a service run where it is found; where services are compulsory, a missing one fails instead."""
    for item in items:
        for name, why in services.FOUND.items():
            if item.get_closest_marker(name) and why() and not services.REQUIRED:
                item.add_marker(pytest.mark.skip(reason=f"{name}: {why()}"))


def pytest_terminal_summary(terminalreporter):
    """One line that says what was left out."""
    missing = [f"{name} ({why()})" for name, why in services.FOUND.items() if why()]
    terminalreporter.write_line(
        f"Left out, because it was not found: {', '.join(missing)}."
        if missing
        else "Nothing was left out: PostgreSQL, Redis and Chromium were found."
    )
