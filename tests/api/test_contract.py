"""The API keeps to its OpenAPI document: Schemathesis asks whatever the document allows, and what it forbids, as four kinds of callers.

In the suite for some seconds each; FSF_CONTRACT=100 asks for so many examples of each operation, however long that takes.
"""

import json
import os
import re
from itertools import count
from pathlib import Path

import pytest
import schemathesis
from django.conf import settings
from schemathesis.config import SchemathesisConfig
from schemathesis.engine import Status, events, from_schema
from schemathesis.transport.wsgi import WSGITransport

from accounts.tokens import SCOPES, revoke
from fsf.management.commands.load_framework import load_with_plans
from fsf.wsgi import application
from tests.conftest import Pipeline
from thresholds import library

LONG = os.environ.get("FSF_CONTRACT", "")
ROLES = {"write": (SCOPES, 24), "read": (("read",), 12), "gate": (("gate:read",), 8), "revoked": (("read",), 8)}


LINES = ("application/x-ndjson", "application/jsonl", "text/tab-separated-values", "text/csv", "application/zip")


@schemathesis.serializer(*LINES)
def as_it_is(ctx, value):
    return value if isinstance(value, bytes) else value.encode() if isinstance(value, str) else json.dumps(value).encode()


# What no schema can say: whether a name is known, a number fits another one, a token may pass on what it asks for.
MEANING = {"idempotency_key_reused", "refused", "unknown_format", "import_refused"}
MEANT = (
    (r"/(checkpoint|model|parent|level)", r"unknown_checkpoint|does_not_exist|invalid"),
    (r"/evaluation", r"unknown_evaluation"),
    (r"/(models|evaluations|networks)", r"invalid"),
    (r"/content", r"invalid_framework"),
    (r"/(rubric|task_rule|unit|exclusions|minimum|maximum|kind|scale)", r"invalid"),
    (r"/(file|mapping)", r"invalid"),
    (r"/(since|until|started|completed)", r"invalid|out_of_range|before_start"),
    (r"/supersedes", r"not_the_newest"),
    (r"/measurements(/\d+(/.*)?)?", r"required|repeated|out_of_range|not_integer|interval_out_of_order|estimate_outside_interval|.*unit.*"),
)
PHASES = {"examples", "coverage", "fuzzing", "stateful"}
numbers = count()


@schemathesis.hook
def before_call(context, case, kwargs):
    """Each request has a key of its own; what a key does to a repeat is tested elsewhere."""
    key = (case.headers or {}).get("Idempotency-Key")
    if isinstance(key, str) and re.fullmatch('"[!-~ ]{1,99}"|[a-z0-9]{1,99}', key):
        case.headers["Idempotency-Key"] = f'"{next(numbers)}"'


@schemathesis.hook
def filter_failure(context, failure, case, response):
    """A body that fits its schema may still be refused for what it means; a batch is answered whatever its items are."""
    if failure.title == "Schema-violating request accepted":
        return not (response.status_code == 207 and response.json()["counts"]["refused"])
    return not (failure.title == "Schema-valid request rejected" and refused_for_its_meaning(response.json()))


def refused_for_its_meaning(problem):
    faults = problem.get("errors", [])
    return problem["code"] in MEANING or (problem["code"] == "invalid" and faults != [] and all(map(meant, faults)))


def meant(fault):
    if "got 'float'" in fault["detail"]:  # 5.0 is whole for JSON Schema, and not for us
        return True
    return any(re.fullmatch(where, fault["pointer"]) and re.fullmatch(what, fault["code"]) for where, what in MEANT)


def config(text, seconds):
    found = SchemathesisConfig.from_dict(
        {
            "auth": {"openapi": {"token": {"bearer": text}}},
            "workers": 1,
            "continue-on-failure": True,
            "generation": {
                "max-examples": int(LONG or "3"),
                "deterministic": True,
                "database": "none",
                "no-shrink": True,
                "allow-x00": False,
            },
            "phases": {"stateful": {"max-steps": 6}},
        }
    )
    found.max_time = None if LONG else seconds
    return found


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("role", ROLES)
def test_the_api_keeps_to_its_document(role, now, unlimited, in_process):
    scopes, seconds = ROLES[role]
    pipeline = Pipeline(scopes)
    register(Pipeline())
    if role == "revoked":
        revoke(token=pipeline.token, now=now)
    schema = schemathesis.openapi.from_wsgi("/api/v1/schema/?format=json", application, config=config(pipeline.text, seconds))
    seen = list(from_schema(schema).execute())
    if "FSF_CONTRACT_LOG" in os.environ:
        Path(os.environ["FSF_CONTRACT_LOG"]).write_text("\n\n".join(failures(seen)))
    assert failures(seen) == []
    begun = {event.phase.value for event in seen if isinstance(event, events.ScenarioFinished)}
    assert begun == PHASES if LONG else begun >= {"examples", "coverage"}


@pytest.fixture
def unlimited(settings):
    """Nobody asks too often."""
    settings.RATE_TOKEN = settings.RATE_FAILED = 0


@pytest.fixture
def in_process(monkeypatch):
    """The engine speaks to a WSGI application as well, once what is meant for sockets is left out."""
    send = WSGITransport.send

    def only_what_is_no_socket(self, case, *, session=None, **about):
        kept = {name: value for name, value in about.items() if name not in {"max_redirects", "verify", "cert", "proxies"}}
        return send(self, case, session=session, **kept)

    monkeypatch.setattr(WSGITransport, "send", only_what_is_no_socket)


def register(pipeline):
    """What the examples of the document name."""
    load_with_plans(library.read_file(Path(settings.BASE_DIR) / "examples" / "example-lab-1.0.yaml"))
    pipeline.send("models/", {"slug": "aurora", "name": "Aurora", "developer": "Example Lab"})
    pipeline.send("checkpoints/", {"slug": "aurora-1", "name": "Aurora 1", "model": "aurora", "effective_compute": 3e25})


def failures(seen):
    """What went wrong, in words."""
    found = [f"{event.label}: {event.value}" for event in seen if isinstance(event, events.NonFatalError | events.FatalError)]
    for event in seen:
        if isinstance(event, events.ScenarioFinished):
            for case, checks in event.recorder.checks.items():
                found += [
                    told(each, event.recorder.interactions.get(case))
                    for each in checks
                    if each.status is Status.FAILURE and each.failure_info is not None
                ]
    return found


def told(check, interaction):
    failure = check.failure_info.failure
    answer = interaction.response.content[:500] if interaction and interaction.response else b""
    return f"{failure.operation} {check.name}: {failure.title} {failure.message}\n{check.failure_info.code_sample}\n{answer!r}"
