"""Importing files: what is taken, how it is read, what is reported."""

import json
import subprocess
import tracemalloc

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from alerts.models import Alert
from audit.models import Entry
from evals.importers import bounded
from evals.models import EvalRun
from tests.api.conftest import nothing_stored
from tests.api.test_schema import document, expect_as_documented  # noqa: F401 - a fixture
from tests.conftest import run_body
from tests.evals.importers.conftest import FIXTURES, HEADER, LINES, archive, changed, eval_log, member
from tests.evals.importers.test_archive import LARGE, REFUSED

METRIC = "match/match/mean/accuracy"
KEPT = {"type", "title", "status", "code", "detail", "request_id"}


@pytest.fixture(autouse=True)
def puzzles(enact, aurora, ada):
    """The evaluation that the logs are of, with a line at 0.2."""
    line = {"kind": "alert", "evaluation": "puzzles@3", "value": 0.2, "policy": "precautionary", "source": "the tests"}
    enact(evaluations=[{"slug": "puzzles", "version": "3", "metric": METRIC}], levels=[{"thresholds": [line]}])


@pytest.fixture
def load(pipeline):
    """Posts a file as it is; parameters as `query`."""

    def load(raw, content_type="application/octet-stream", **query):
        asked = {"checkpoint": "aurora-1", **query}
        return pipeline.client.post(
            "/api/v1/imports/",
            raw,
            content_type=content_type,
            headers=pipeline._headers(),
            query_params={k: v for k, v in asked.items() if v},
        )

    return load


@pytest.fixture
def fill(pipeline):
    """Posts a form."""

    def fill(**fields):
        return pipeline.client.post("/api/v1/imports/", fields, headers=pipeline._headers())

    return fill


def refusal(answer, status, code):
    body = answer.json()
    assert (answer.status_code, answer["Content-Type"], body["code"]) == (status, "application/problem+json", code), body
    return body


RESCORED = changed(
    results={"scores": [{"name": "match", "scorer": "match", "metrics": {"accuracy": {"name": "accuracy", "value": 1 / 3}}}]}
)
RESCORED_LINES = [LINES[0], {**LINES[1], "scores": {"match": {"value": "I"}}}, LINES[2]]
CSV = b"model,acc,n\naurora-1,0.25,76\naurora-1,0.5,76\n"
MAPPING = {
    "producer": {"name": "lab"},
    "checkpoint": "model",
    "evaluation": {"fixed": "puzzles@3"},
    "measurements": [{"metric": METRIC, "value": "acc", "n_tasks": "n"}],
}


def test_a_log_is_stored_judged_and_reported(load):
    answer = load(eval_log(), name="a.eval", attested_by="Ben")
    report = answer.json()
    (item,) = report.pop("items")
    run = EvalRun.objects.get()
    assert answer.status_code == 201
    assert report == {
        "format": "inspect-eval",
        "name": "a.eval",
        "sha256": run.provenance["evidence_sha256"],
        "bytes": len(eval_log()),
        "dry_run": False,
        "counts": {"created": 1, "replayed": 0, "superseded": 0, "refused": 0},
    }
    assert (item["outcome"], item["id"], item["ref"], item["evaluation"], item["external_id"]) == (
        *("created", run.pk, run.ref, "puzzles@3", "e1"),
    )
    assert item["verdicts"][0]["state"] == "alert"
    assert (run.elicitation["attested_by"], run.provenance["evidence"]) == ("Ben", "a.eval")
    assert Alert.objects.exists()


def test_again_it_is_replayed_and_rescored_it_supersedes(load):
    first = load(eval_log()).json()["items"][0]
    again = load(eval_log(), name="copy.eval")
    rescored = load(eval_log(RESCORED, RESCORED_LINES))
    assert (again.status_code, rescored.status_code) == (200, 201)
    assert [each.json()["items"][0]["outcome"] for each in (again, rescored)] == ["replayed", "superseded"]
    assert rescored.json()["items"][0]["supersedes"] == first["id"]
    assert [each.json()["items"][0]["ref"] for each in (again, load(eval_log()))] == [first["ref"]] * 2


def test_a_form_says_the_same(fill, load):
    told = {"checkpoint": "aurora-1", "attested_by": "Ben"}
    answer = fill(file=SimpleUploadedFile("a.eval", eval_log(), "application/zip"), **told)
    assert answer.status_code == 201
    assert answer.json()["name"] == EvalRun.objects.get().provenance["evidence"] == "a.eval"
    assert load(eval_log(), name="a.eval", attested_by="Ben").json()["items"][0]["outcome"] == "replayed"


def test_a_form_takes_the_mapping_as_a_field_or_a_file(fill):
    field = fill(file=SimpleUploadedFile("x.csv", CSV), mapping=json.dumps(MAPPING))
    file = fill(file=SimpleUploadedFile("x.csv", CSV), mapping=SimpleUploadedFile("m.json", json.dumps(MAPPING).encode()))
    assert (field.status_code, field.json()["counts"]["created"], file.json()["counts"]["replayed"]) == (201, 2, 2)


@pytest.mark.parametrize("content_type", ["application/zip", "text/csv", "text/plain; charset=utf-8", "APPLICATION/JSON"])
def test_the_content_decides_and_neither_name_nor_type(load, content_type):
    assert load(eval_log(), content_type, name="table.csv").json()["format"] == "inspect-eval"


@pytest.mark.parametrize(
    ("path", "name", "query"),
    [
        ("inspect/simple.json", "inspect-json", {}),
        ("lm_eval/results_limited.json", "lm-eval", {}),
        ("every_eval_ever/aggregate.json", "every-eval-ever", {}),
        ("metr_runs/runs.jsonl", "metr-runs", {"version": "1.1"}),
        ("table/runs.csv", "table", {"mapping": (FIXTURES.parent / "table/mapping.json").read_text()}),
        *[(f"garak/{file.name}", "garak", {}) for file in sorted((FIXTURES.parent / "garak").glob("*.jsonl"))[:1]],
    ],
)
def test_every_format_is_recognised_without_its_name(load, path, name, query):
    raw = (FIXTURES.parent / path).read_bytes()
    with nothing_stored():
        report = load(raw, checkpoint="", dry_run="true", **query).json()
    assert report["format"] == name
    assert {item["code"] for item in report["items"]} == {"invalid"}


def test_runs_in_the_apis_own_shape_are_a_file_too(load):
    bodies = [run_body(external_id=str(n), evaluation="puzzles", status="error") for n in range(2)]
    for raw, outcome in ((json.dumps(bodies), "created"), ("\n".join(map(json.dumps, bodies)), "replayed")):
        report = load(raw.encode()).json()
        assert (report["format"], [item["outcome"] for item in report["items"]]) == ("native", [outcome] * 2)


def test_a_dry_run_reports_the_same_and_stores_nothing(load):
    with nothing_stored():
        rehearsed = load(eval_log(), dry_run="true")
    assert (rehearsed.status_code, rehearsed.json()["dry_run"]) == (200, True)
    (would,), (did,) = rehearsed.json()["items"], load(eval_log()).json()["items"]
    assert (would["outcome"], would["id"], would["verdicts"]) == (did["outcome"], None, did["verdicts"])


def test_a_file_of_which_a_part_is_refused(load):
    mapping = {**MAPPING, "external_id": "acc"}
    answer = load(CSV + b"nobody,0.5,76\n", checkpoint="", mapping=json.dumps({**mapping, "external_id": "model"}))
    created, superseded, refused = answer.json()["items"]
    assert answer.status_code == 207
    assert (created["outcome"], superseded["outcome"], refused["outcome"]) == ("created", "superseded", "refused")
    assert (refused["code"], refused["id"], [each["code"] for each in refused["errors"]]) == ("invalid", None, ["unknown_checkpoint"])


def test_a_file_of_which_all_is_refused_is_a_problem_with_the_report(load):
    with nothing_stored():
        body = refusal(load(eval_log(), checkpoint="nobody"), 422, "import_refused")
    assert body.keys() - KEPT == {"format", "name", "sha256", "bytes", "dry_run", "counts", "items"}
    assert body["counts"] == {"created": 0, "replayed": 0, "superseded": 0, "refused": 1}


def test_an_older_log_is_refused_unless_it_names_what_it_corrects(load):
    edited = {**HEADER, "log_updates": [{"edits": []}]}
    newer = load(eval_log(edited)).json()["items"][0]
    item = refusal(load(eval_log(RESCORED, RESCORED_LINES)), 422, "import_refused")["items"][0]
    assert item["code"] == "older_than_stored"
    answer = load(eval_log(RESCORED, RESCORED_LINES), supersedes=newer["ref"])
    assert (answer.status_code, answer.json()["items"][0]["supersedes"]) == (201, newer["id"])


@pytest.mark.parametrize(
    ("raw", "query", "status", "code"),
    [
        (b"", {}, 400, "invalid"),
        (b"dear diary", {}, 415, "unknown_format"),
        (archive(member("word/document.xml", b"<x/>")), {}, 415, "unknown_format"),
        (eval_log()[:-30], {}, 400, "unreadable"),
        (eval_log(), {"importer": "garak"}, 400, "unreadable"),
        (eval_log(), {"importer": "word"}, 415, "unknown_format"),
        (b"[]", {"importer": "native"}, 400, "unreadable"),
        (CSV, {}, 400, "unreadable"),
        (CSV, {"mapping": "{"}, 400, "invalid"),
        (CSV, {"mapping": "[]"}, 400, "invalid"),
        (CSV, {"mapping": "x" * 70_000}, 400, "invalid"),
        ((FIXTURES.parent / "metr_runs/runs.jsonl").read_bytes(), {}, 400, "unreadable"),
        (eval_log(), {"dry_run": "yes"}, 400, "invalid"),
        (eval_log(), {"colour": "red"}, 400, "invalid"),
        (eval_log(), {"attested_by": "b" * 201}, 400, "invalid"),
        (CSV, {"mapping": json.dumps(MAPPING), "supersedes": "R-1"}, 422, "refused"),
    ],
)
def test_what_cannot_be_imported_is_told_and_stores_nothing(load, raw, query, status, code):
    with nothing_stored():
        refusal(load(raw, **query), status, code)


def test_where_it_is_broken_is_told(load):
    broken = archive({**member("header.json", b"{}"), "crc": 1})
    assert refusal(load(broken, name="log.eval"), 400, "unreadable")["detail"].startswith("log.eval, header.json: Its checksum")
    linked = archive(member("header.json", b"{}"), member("samples/a.json", b"/etc/passwd", mode=0o120777))
    assert refusal(load(linked, name="log.eval"), 400, "unreadable")["detail"].startswith("log.eval, samples/a.json: It is a link")
    assert refusal(load(b"dear diary", name="log.eval"), 415, "unknown_format")["detail"].startswith("log.eval: It looks like text")


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"log": SimpleUploadedFile("a", b"x")},
        {"file": "no file"},
        {"file": [SimpleUploadedFile("a", b"x"), SimpleUploadedFile("b", b"x")], "name": "a"},
        {"file": SimpleUploadedFile("a", CSV), "mapping": [SimpleUploadedFile("m", b"{}"), SimpleUploadedFile("n", b"{}")]},
        {"file": SimpleUploadedFile("a", eval_log()), "colour": "red"},
        {"file": SimpleUploadedFile("a", eval_log()), "dry_run": ["true", "false"]},
    ],
)
def test_a_form_has_files_in_their_part_and_known_fields(fill, fields):
    with nothing_stored():
        refusal(fill(**fields), 400, "invalid")


def test_a_broken_form_is_refused(load):
    with nothing_stored():
        refusal(load(b"--x\r\n", "multipart/form-data"), 400, "not_json")


def test_other_media_types_are_not_taken(load):
    assert "application/octet-stream" in refusal(load(eval_log(), "image/png"), 415, "unsupported_media_type")["detail"]


@pytest.mark.parametrize("way", ["raw", "form"])
def test_a_larger_file_than_is_taken_is_refused_unread(load, fill, settings, way):
    settings.IMPORT_MAX_BYTES = 2_000_000
    raw = b"x" * 2_000_001
    with nothing_stored():
        refusal(load(raw) if way == "raw" else fill(file=SimpleUploadedFile("a", raw)), 413, "too_large")


def test_a_file_larger_than_other_bodies_is_taken(load, settings):
    lines = [{**LINES[0], "id": f"t{n}", "input": f"{n}" * 100} for n in range(20_000)]
    header = changed(results={"scores": HEADER["results"]["scores"]}, eval={"dataset": {"samples": 20_000}})
    raw = archive(member("header.json", json.dumps(header).encode(), 0), member("summaries.json", json.dumps(lines).encode(), 0))
    assert len(raw) > 2 * settings.DATA_UPLOAD_MAX_MEMORY_SIZE
    assert load(raw).json()["counts"]["created"] == 1
    assert EvalRun.objects.get().scored == 20_000


def test_it_needs_the_scope_to_post_runs(pipeline_with):
    reader = pipeline_with("read")
    answer = reader.client.post("/api/v1/imports/", eval_log(), content_type="application/octet-stream", headers=reader._headers())
    refusal(answer, 403, "not_allowed")
    refusal(Client().post("/api/v1/imports/", eval_log(), content_type="application/octet-stream"), 401, "not_authenticated")


def test_an_idempotency_key_gets_the_same_report(pipeline):
    def post():
        headers = {**pipeline._headers(), "Idempotency-Key": '"k1"'}
        return pipeline.client.post(
            "/api/v1/imports/?checkpoint=aurora-1", eval_log(), content_type="application/octet-stream", headers=headers
        )

    first, again = post(), post()
    assert (first.status_code, again.status_code, again.json()) == (201, 201, first.json())


def test_one_audit_entry_says_that_a_run_was_recorded(load):
    load(eval_log())
    assert Entry.objects.filter(action__in=["evals.run.record", "evals.runs.record"]).count() == 1


@pytest.mark.parametrize(("raw", "why"), REFUSED.values(), ids=REFUSED)
def test_a_hostile_archive_is_refused_through_the_door(load, raw, why):
    with nothing_stored():
        answer = load(raw, importer="inspect-eval", name="x.eval")
    assert answer.status_code in {400, 415}, answer.json()


@pytest.mark.parametrize("name", sorted({*LARGE} - {"brackets without end"}))  # whose many small parts take long to trace
def test_a_bomb_takes_little_of_the_server(load, name):
    raw = LARGE[name]()
    load(eval_log(), importer="inspect-eval", dry_run="true")
    tracemalloc.start()
    try:
        answer = load(raw, importer="inspect-eval")
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    refusal(answer, 400, "unreadable")
    assert most - 2 * len(raw) < 64 << 20


def test_what_takes_more_memory_than_is_given_is_refused_and_the_server_goes_on(load, monkeypatch):
    monkeypatch.setattr(bounded, "MEMORY", 110 << 20)
    heavy = b'{"version": 2, "status": "success", "eval": {"task": "x", "eval_id": "e", "a": [' + b"[]," * (1 << 20) + b"[]]}}"
    tracemalloc.start()
    try:
        answer = load(heavy)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert "more than 110 MiB" in refusal(answer, 400, "unreadable")["detail"]
    assert most < 2 * len(heavy) + (8 << 20)
    assert load(eval_log()).status_code == 201


def test_what_takes_longer_than_is_given_is_refused(load, monkeypatch):
    monkeypatch.setattr(bounded, "PATIENCE", 0.01)
    answer = load((FIXTURES.parent / "metr_runs/runs.jsonl").read_bytes(), version="1.1")
    assert "within 0.01 seconds" in refusal(answer, 400, "unreadable")["detail"]


def test_a_reader_that_breaks_down_is_our_fault_and_harms_nobody(load, monkeypatch):
    monkeypatch.setattr(bounded, "QUICK", frozenset())
    monkeypatch.setattr(bounded.sys, "executable", "/bin/false")
    with nothing_stored():
        refusal(load(eval_log()), 500, "unexpected")


@pytest.mark.parametrize("apart", [False, True])
def test_it_reads_the_same_here_and_apart(monkeypatch, apart):
    if apart:
        monkeypatch.setattr(bounded, "QUICK", frozenset())
    with (FIXTURES / "limited.eval").open("rb") as content:
        found = bounded.read_bounded("limited.eval", content, bounded.Options(checkpoint="c", attested_by="Ben"))
    assert (found.format, found.runs[0]["checkpoint"], found.runs[0]["elicitation"]["attested_by"]) == ("inspect-eval", "c", "Ben")
    assert found.runs[0]["provenance"]["evidence"] == "limited.eval"


def test_the_process_that_reads_has_no_environment_to_tell_of(load, monkeypatch):
    seen = {}
    monkeypatch.setattr(bounded.subprocess, "run", lambda *_, **more: seen.update(more) or subprocess.CompletedProcess([], 0, b"", b""))
    monkeypatch.setenv("FSF_SECRET_KEY", "s")
    refusal(load((FIXTURES.parent / "metr_runs/runs.jsonl").read_bytes(), version="1.1"), 400, "unreadable")
    assert seen["env"].keys() <= {"LANG", "LD_LIBRARY_PATH"}


@pytest.mark.parametrize("query", [{}, {"checkpoint": "nobody"}, {"dry_run": "true"}, {"importer": "word"}])
def test_it_is_answered_in_the_documented_shape(document, load, query):  # noqa: F811 - the fixture
    expect_as_documented(document, "/api/v1/imports/", "post", load(eval_log(), **query))
