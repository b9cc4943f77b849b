"""What every refusal has in common, how much is stored, and one more of everything that is listed."""

from contextlib import contextmanager

import pytest
from django.apps import apps
from django.conf import settings
from django.db import connection
from django.test import Client

from accounts.roles import SYSTEM
from accounts.tokens import SCOPES
from evals.catalogue import register_checkpoint, register_model
from tests.accounts.conftest import sqlite_file  # noqa: F401 - a fixture
from tests.conftest import Pipeline

OURS = {"accounts", "audit", "alerts", "evals", "thresholds", "mitigations", "crises", "gates"}


def rows():
    """How many rows each table of the product holds, asked at once."""
    tables = [model._meta.db_table for model in apps.get_models() if model._meta.app_label in OURS]
    counts = [f"SELECT '{table}', COUNT(*) FROM {table}" for table in tables]  # noqa: S608 - our own tables
    with connection.cursor() as cursor:
        cursor.execute(" UNION ALL ".join(counts))
        return dict(cursor.fetchall())


def writes_to(sql, table):
    """Whether a statement inserts into a table; entries of the audit log are appended by a function on PostgreSQL."""
    wanted = [f'{words} "{table}"' for words in ("INSERT INTO", "INSERT OR IGNORE INTO")]
    return any(words in sql for words in [*wanted, *(["audit_append"] if table == "audit_entry" else [])])


@contextmanager
def nothing_stored():
    """What happens inside adds no row and takes none away."""
    before = rows()
    yield
    assert rows() == before


def problem(answer, status, code):
    """The body of a refusal, which has the form of every refusal."""
    body = answer.json()
    assert (answer.status_code, answer["Content-Type"]) == (status, "application/problem+json"), body
    assert body.keys() - {"errors"} == {"type", "title", "status", "code", "detail", "request_id"}
    assert (body["type"], body["status"], body["code"]) == (f"{settings.SITE_URL}/api/v1/problems/{code}/", status, code)
    assert body["request_id"] == answer["X-Request-ID"]
    assert body["title"]
    assert body["detail"]
    return body


def faults(answer):
    """Where an answer finds fault, and under which code."""
    body = problem(answer, 400, "invalid")
    assert all(fault["detail"] for fault in body["errors"])
    return [(fault["pointer"], fault["code"]) for fault in body["errors"]]


HANDLER = Client().handler  # the middleware is loaded once for all tests


@pytest.fixture
def pipeline_with(db):
    """A pipeline whose token has these scopes only."""

    def pipeline_with(*scopes):
        pipeline = Pipeline(scopes or SCOPES)
        pipeline.client.handler = HANDLER
        return pipeline

    return pipeline_with


@pytest.fixture
def pipeline(pipeline_with):
    return pipeline_with()


@pytest.fixture
def grow(enact, post, now, ada):
    """Adds one of everything that is listed: a lab's framework, its level, a model at its alert line, its run and its crisis."""

    def grow(number):
        enact(
            slug=f"lab-{number}", developer=f"Lab {number}", evaluations=[{"slug": f"ctf-{number}"}], levels=[{"thresholds": line(number)}]
        )
        model = register_model(slug=f"model-{number}", name=f"Model {number}", developer=f"Lab {number}", actor=SYSTEM, now=now)
        about = {"slug": f"model-{number}-1", "name": f"Model {number}"}
        register_checkpoint(model=model, fields=about, actor=SYSTEM, now=now)
        post(3, 12, checkpoint=f"model-{number}-1", evaluation=f"ctf-{number}@1")

    return grow


def line(number):
    return [{"kind": "alert", "evaluation": f"ctf-{number}@1", "value": 0.2, "policy": "precautionary", "source": "the tests"}]
