"""Importing several files by one request: each is reported on by itself, and all are stored together."""

import json

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from alerts.models import Alert
from audit.models import Entry
from evals.importers import bounded, several
from evals.models import EvalRun
from tests.api.conftest import nothing_stored
from tests.api.test_imports import CSV, MAPPING, RESCORED, RESCORED_LINES, fill, puzzles, refusal  # noqa: F401 - fixtures
from tests.api.test_schema import document, expect_as_documented  # noqa: F401 - a fixture
from tests.evals.importers.conftest import HEADER, LINES, archive, changed, eval_log, member
from tests.evals.importers.test_archive import REFUSED

NOTHING = {"created": 0, "replayed": 0, "superseded": 0, "refused": 0}


def log(number, header=None, lines=None):
    """An Inspect log of a run of its own."""
    whole = header or HEADER
    return eval_log({**whole, "eval": {**whole["eval"], "eval_id": f"e{number}"}}, lines or LINES)


def files(*contents):
    return [SimpleUploadedFile(f"{number}.eval", content) for number, content in enumerate(contents)]


@pytest.fixture
def send(fill):  # noqa: F811 - the fixture
    """Posts several files about one checkpoint."""

    def send(*contents, **fields):
        return fill(file=files(*contents), **{"checkpoint": "aurora-1", **fields})

    return send


def outcomes(answer):
    return [[item["outcome"] for item in each["items"]] for each in answer.json()["files"]]


def test_every_file_is_stored_judged_and_reported_in_its_order(send):
    answer = send(log(0), log(1), attested_by="Ben")
    body = answer.json()
    assert (answer.status_code, body["dry_run"], body["counts"]) == (201, False, {**NOTHING, "created": 2})
    for number, (report, run) in enumerate(zip(body["files"], EvalRun.objects.order_by("external_id"), strict=True)):
        (item,) = report["items"]
        assert (report["format"], report["name"], report["bytes"]) == ("inspect-eval", f"{number}.eval", len(log(number)))
        assert (report["sha256"], report["counts"]) == (run.provenance["evidence_sha256"], {**NOTHING, "created": 1})
        assert (item["ref"], item["external_id"], item["verdicts"][0]["state"]) == (run.ref, f"e{number}", "alert")
        assert (run.provenance["evidence"], run.elicitation["attested_by"]) == (f"{number}.eval", "Ben")
    assert Alert.objects.exists()


def test_one_audit_entry_tells_of_all(send):
    send(log(0), log(1), log(2))
    (entry,) = Entry.objects.filter(action__in=["evals.run.record", "evals.runs.record"])
    assert [each["digest"] for each in entry.data["runs"]] == [run.digest for run in EvalRun.objects.order_by("pk")]


def test_a_file_alone_and_among_others_is_the_same_run(send, fill):  # noqa: F811
    fill(file=files(log(0)), checkpoint="aurora-1")
    answer = send(log(0), log(1))
    assert (answer.status_code, outcomes(answer)) == (201, [["replayed"], ["created"]])
    assert (send(log(0), log(1)).status_code, EvalRun.objects.count()) == (200, 2)


def test_a_later_file_corrects_an_earlier_one_of_the_same_request(send):
    answer = send(log(0), log(0, RESCORED, RESCORED_LINES))
    assert outcomes(answer) == [["created"], ["superseded"]]
    first, second = (each["items"][0] for each in answer.json()["files"])
    assert second["supersedes"] == first["id"]


def test_what_cannot_be_read_spoils_no_other(send):
    answer = send(log(0), b"dear diary", eval_log()[:-30], log(1))
    assert answer.status_code == 207
    _, diary, broken, _ = answer.json()["files"]
    assert outcomes(answer) == [["created"], [], [], ["created"]]
    assert [(each["code"], each["format"], each["sha256"], each["counts"]) for each in (diary, broken)] == [
        ("unknown_format", "", "", NOTHING),
        ("unreadable", "", "", NOTHING),
    ]
    assert (diary["bytes"], diary["reason"].startswith("1.eval: It looks like text")) == (10, True)


@pytest.mark.parametrize(("raw", "why"), REFUSED.values(), ids=REFUSED)
def test_a_hostile_archive_is_refused_and_the_others_are_stored(send, raw, why):
    answer = send(raw, log(1), importer="inspect-eval")
    assert (answer.status_code, outcomes(answer), answer.json()["files"][0]["code"]) == (207, [[], ["created"]], "unreadable")


def test_a_bomb_among_others_is_refused(send):
    bomb = archive(member("header.json", b" " * (8 << 20)), member("summaries.json", b"[]"))
    assert outcomes(send(bomb, log(1))) == [[], ["created"]]


def test_a_refused_run_spoils_no_other(send):
    older = log(0, changed(results={"scores": HEADER["results"]["scores"]}))
    newer = log(0, {**HEADER, "log_updates": [{"edits": []}]})
    send(newer, log(2))
    answer = send(older, log(1))
    assert answer.status_code in {201, 207}
    assert EvalRun.objects.filter(external_id="e1").exists()


def test_files_of_which_all_are_refused_are_a_problem_with_the_reports(send):
    with nothing_stored():
        body = refusal(send(log(0), b"dear diary", checkpoint="nobody"), 422, "import_refused")
    assert (len(body["files"]), body["counts"]) == (2, {**NOTHING, "refused": 1})


def test_a_dry_run_stores_none_of_them(send):
    with nothing_stored():
        answer = send(log(0), log(1), dry_run="true")
    assert (answer.status_code, answer.json()["dry_run"], outcomes(answer)) == (200, True, [["created"]] * 2)


def test_one_mapping_is_for_all_tables(send):
    answer = send(CSV, CSV.replace(b"76", b"77"), checkpoint="", mapping=json.dumps(MAPPING))
    assert (answer.status_code, answer.json()["counts"]["created"]) == (201, 4)


@pytest.mark.parametrize("name", ["name", "supersedes"])
def test_what_is_about_one_file_is_not_taken_for_several(send, name):
    with nothing_stored():
        assert refusal(send(log(0), log(1), **{name: "R-1"}), 400, "invalid")["errors"][0]["pointer"] == f"/{name}"


def test_more_files_than_are_taken_are_refused(send):
    with nothing_stored():
        refusal(send(*[b"x"] * 101), 400, "not_json")


def test_what_is_left_out_for_lack_of_time_is_told(send, monkeypatch):
    monkeypatch.setattr(several, "SECONDS", -1)
    answer = send(log(0), log(1))
    assert (answer.status_code, outcomes(answer), answer.json()["files"][1]["code"]) == (207, [["created"], []], "not_reached")


def test_a_fault_of_ours_is_told_without_its_words(send, monkeypatch):
    monkeypatch.setattr(bounded, "QUICK", frozenset({"garak"}))
    monkeypatch.setattr(bounded, "_read_apart", lambda *_: 1 / 0)
    with nothing_stored():
        report = refusal(send(log(0), log(1)), 422, "import_refused")["files"][0]
    assert (report["code"], "division" in report["reason"]) == ("unexpected", False)


@pytest.mark.parametrize("fields", [{}, {"checkpoint": "nobody"}, {"dry_run": "true"}, {"importer": "word"}])
def test_it_is_answered_in_the_documented_shape(document, send, fields):  # noqa: F811
    expect_as_documented(document, "/api/v1/imports/", "post", send(log(0), log(1), **fields))
