"""The documentation says what is there: its variables, links, addresses, calls, fields and examples are checked against the code."""

import doctest
import re
import shlex
from pathlib import Path
from urllib.parse import unquote

import msgspec
import pytest
import yaml
from django.urls import Resolver404, resolve

from evals.models import EvalRun
from evals.submissions import Coverage, Item, Submission, Task
from fsf.api.problems import CODES
from fsf.api.shapes import CrisisLink, CrossingShape, RunReply, VerdictShape
from fsf.management.commands.load_framework import load_with_plans
from thresholds import library
from thresholds.library import shape
from thresholds.models import Determination

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
LEFT_OUT = {".venv", "var", "staticfiles", "node_modules", ".pytest_cache", ".git"}
DOCUMENTS = sorted(each for each in ROOT.rglob("*.md") if not LEFT_OUT & set(each.relative_to(ROOT).parts))
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
FENCE = re.compile(r"^```.*?^```", re.DOTALL | re.MULTILINE)


def anchors(text):
    """The anchors that a Markdown page gets from its headings."""
    headings = re.findall(r"^#+ (.+)$", FENCE.sub("", text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def dead_links(document):
    for link in LINK.findall(FENCE.sub("", document.read_text())):
        path, _, anchor = link.partition("#")
        if "://" in link:
            continue
        target = document.parent / unquote(path) if path else document
        if not target.exists() or (anchor and target.suffix == ".md" and anchor not in anchors(target.read_text())):
            yield link


def blocks(document, language):
    return re.findall(rf"^```{language}\n(.*?)^```", document.read_text(), re.DOTALL | re.MULTILINE)


def first_column(text):
    return {name for cell in re.findall(r"^\|([^|]+)\|", text, re.MULTILINE) for name in re.findall(r"`([^`]+)`", cell)}


def test_every_variable_of_the_settings_is_documented_and_no_other():
    read = set(re.findall(r'\benv(?:\.\w+)?\(\s*"([A-Z_]+)"', (ROOT / "fsf" / "settings.py").read_text()))
    of_the_product, _, _ = (DOCS / "settings.md").read_text().partition("## Read elsewhere")
    assert first_column(of_the_product) == read


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: str(document.relative_to(ROOT)))
def test_no_link_is_dead(document):
    assert list(dead_links(document)) == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: str(document.relative_to(ROOT)))
def test_every_api_address_that_is_named_resolves(document):
    unknown = []
    for named in re.findall(r"/api/v1/[^\s\"'`)|,;]*", document.read_text()):
        path = re.split(r"[?#]", named.replace("$RUN", "12"))[0].rstrip(".")
        try:
            resolve(path if path != "/api/v1/" else "/api/v1/runs/")
        except Resolver404:
            unknown.append(named)
    assert unknown == []


def test_the_examples_of_the_method_hold():
    failed, tried = doctest.testfile(str(DOCS / "method.md"), module_relative=False)
    assert (failed, tried > 20) == (0, True)


def test_the_framework_in_the_documentation_can_be_loaded():
    (text,) = blocks(DOCS / "frameworks.md", "yaml")
    content = msgspec.convert(yaml.safe_load(text), shape.FrameworkFile)
    assert library.check(content) == []


def test_every_field_of_a_framework_file_is_documented():
    documented = first_column((DOCS / "frameworks.md").read_text())
    entries = [each for each in vars(shape).values() if isinstance(each, type) and issubclass(each, msgspec.Struct)]
    assert len(entries) > 10
    assert {field for entry in entries for field in entry.__struct_fields__} - documented == set()
    assert set(Determination.STATUSES) - documented == set()


def test_every_field_of_a_run_and_its_reply_is_documented():
    documented = set(re.findall(r"`([\w.]+)`", (DOCS / "api.md").read_text()))
    body = {field for entry in (Submission, Coverage, Item, Task) for field in entry.__struct_fields__}
    reply = {field for entry in (RunReply, VerdictShape, CrossingShape, CrisisLink) for field in entry().fields}
    assert (body | reply) - documented - {"producer"} == set()


def test_every_error_and_every_reason_of_the_gate_is_documented():
    assert {*CODES} - first_column((DOCS / "problems.md").read_text()) == set()
    documented = first_column((DOCS / "api.md").read_text())
    reasons = re.findall(r'Reason\(\s*Verdict\.\w+, [^,]+, "(\w+)"', (ROOT / "gates" / "decision.py").read_text())
    assert len(reasons) > 5
    assert {*reasons} - documented == set()


def calls(document):
    """The commands `call URL [-d BODY]` of a document with the status that stands above each."""
    for block in blocks(document, "sh"):
        for status, command in re.findall(r"^# (\d{3})\ncall (.*?)(?=\n# \d{3}\n|\Z)", block, re.DOTALL | re.MULTILINE):
            url, *more = shlex.split(command)
            yield int(status), url.removeprefix("$FSF"), more[1] if more else None


@pytest.mark.django_db
def test_every_call_in_the_documentation_is_answered_as_it_says(pipeline, ada):
    load_with_plans(library.read_file(ROOT / "examples" / "example-lab-1.0.yaml"))
    answered = []
    for status, path, body in calls(DOCS / "api.md"):
        if body is None:
            answer = pipeline.client.get(path, headers=pipeline._headers())
        else:
            newest = EvalRun.objects.order_by("-pk").values_list("pk", flat=True).first()
            answer = pipeline.send(path.removeprefix("/api/v1/").replace("$RUN", str(newest)), body.replace("$RUN", str(newest)))
        answered.append((path, status, answer.status_code))
    assert [each for each in answered if each[1] != each[2]] == []
    assert len(answered) > 15
