import json
from unittest import mock

import pytest
from django.db import OperationalError

from alerts.models import Alert
from audit import log
from audit.models import Entry
from crises.models import Crisis, Receipt
from evals.models import EvalResult, EvalRun
from fsf.api import batches
from tests.api.conftest import faults, nothing_stored, problem
from tests.conftest import run_body
from thresholds.models import Assessment, Crossing

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("small", "aurora")]


def bodies(*solved, **more):
    """One run for each number of solved tasks out of 100, told apart by their places."""
    return [run_body(each, 100, **{"external_id": str(number), **more}) for number, each in enumerate(solved)]


def answered(answer):
    """The counts and the items of a batch that was taken."""
    assert (answer.status_code, answer["Content-Type"]) == (207, "application/json"), answer.content
    return answer.json()["counts"], answer.json()["items"]


def lines(pipeline, *raw):
    """Posts JSON Lines."""
    about = {"content_type": "application/x-ndjson", "headers": pipeline._headers()}
    return pipeline.client.post("/api/v1/runs/batch/", b"\n".join(raw), **about)


def test_every_run_of_a_batch_is_stored_judged_and_answered(pipeline, ada):
    counts, items = answered(pipeline.send("runs/batch/", bodies(0, 30, 1)))
    assert counts == {"created": 3, "replayed": 0, "refused": 0}
    runs = list(EvalRun.objects.order_by("pk"))
    assert [(each["index"], each["status"], each["id"], each["ref"]) for each in items] == [
        (number, 201, run.pk, run.ref) for number, run in enumerate(runs)
    ]
    assert [run.external_id for run in runs] == ["0", "1", "2"]
    assert (Assessment.objects.count(), Receipt.objects.count(), Crossing.objects.count(), Crisis.objects.count()) == (3, 3, 1, 1)
    assert {verdict["state"] for each in items for verdict in each["reply"]["verdicts"]} == {"alert"}
    assert [each["reply"]["alerts_queued"] for each in items] == [0, 1, 0]
    assert Alert.objects.count() == 1


def test_one_entry_names_every_run_of_a_batch_and_its_digest(pipeline):
    pipeline.send("runs/batch/", bodies(0, 1))
    entry = Entry.objects.get(action="evals.runs.record")
    runs = EvalRun.objects.order_by("pk")
    assert entry.about == f"runs:{runs[0].pk}-{runs[1].pk}"
    assert entry.data == {"count": 2, "runs": [{"id": run.pk, "digest": run.digest} for run in runs]}
    assert (Entry.objects.filter(action="evals.run.record").count(), log.verify()) == (0, None)


def test_the_same_batch_again_is_replayed_item_by_item_and_stores_nothing(pipeline, ada):
    _, first = answered(pipeline.send("runs/batch/", bodies(0, 30)))
    with nothing_stored():
        counts, again = answered(pipeline.send("runs/batch/", bodies(0, 30)))
    assert counts == {"created": 0, "replayed": 2, "refused": 0}
    assert again == [{**each, "status": 200, "reply": {**each["reply"], "replayed": True}} for each in first]


def test_an_item_that_is_refused_spoils_no_other(pipeline):
    pipeline.run(5, 100, external_id="taken")
    wrong = [
        run_body(3, 100, external_id="a", checkpoint="nobody"),
        run_body(101, 100, external_id="b"),
        run_body(6, 100, external_id="taken"),
        {"producer": 7},
        [],
        None,
    ]
    counts, items = answered(pipeline.send("runs/batch/", [*wrong, *bodies(0)]))
    assert counts == {"created": 1, "replayed": 0, "refused": 6}
    told = [(each["status"], each.get("code"), [fault["pointer"] for fault in each.get("errors", [])]) for each in items]
    assert told == [
        (400, "invalid", ["/checkpoint"]),
        (400, "invalid", ["/measurements/0/solved"]),
        (409, "content_differs", []),
        (400, "invalid", ["/producer"]),
        (400, "invalid", [""]),
        (400, "invalid", [""]),
        (201, None, []),
    ]
    assert all(each["detail"] for each in items[:-1])
    assert EvalRun.objects.count() == 2


def test_one_identity_twice_in_a_batch_is_as_if_posted_twice(pipeline):
    same, other = run_body(3, 100), run_body(4, 100)
    _, (first, second, third) = answered(pipeline.send("runs/batch/", [same, same, other]))
    assert (first["status"], second["status"], third["status"]) == (201, 200, 409)
    assert second["reply"] == {**first["reply"], "replayed": True}
    assert f'"supersedes": {first["id"]}' in third["detail"]
    assert EvalRun.objects.get().results.get().solved == 3


def test_a_run_may_start_and_end_within_a_batch(pipeline):
    _, items = answered(pipeline.send("runs/batch/", [run_body(status="started"), run_body(0, 500), run_body(status="started")]))
    assert [each["status"] for each in items] == [201, 201, 200]
    assert items[2]["id"] == items[0]["id"]
    assert EvalRun.objects.get(pk=items[1]["id"]).supersedes_id == items[0]["id"]


def test_a_correction_in_a_batch_takes_back_what_the_run_before_it_said(pipeline):
    first = pipeline.run(0, 500).json()
    _, (item,) = answered(pipeline.send("runs/batch/", [run_body(3, 500, supersedes=first["ref"])]))
    assert (item["status"], EvalRun.objects.get(pk=item["id"]).revision) == (201, 2)
    entry = Entry.objects.get(action="evals.runs.record")
    assert entry.data["runs"][0]["supersedes"] == first["id"]


def test_a_run_a_line(pipeline):
    raw = [json.dumps(body).encode() for body in bodies(0, 1)]
    duplicate = raw[0].replace(b'"external_id"', b'"external_id": "x", "external_id"')
    counts, items = answered(lines(pipeline, raw[0], b"", b"  ", b"{", duplicate, b'{"a": NaN}', raw[1], b""))
    assert counts == {"created": 2, "replayed": 0, "refused": 3}
    assert [(each["index"], each["status"], each.get("code")) for each in items] == [
        (0, 201, None),
        (1, 400, "not_json"),
        (2, 400, "not_json"),
        (3, 400, "not_json"),
        (4, 201, None),
    ]


def test_a_dry_run_of_a_batch_stores_nothing_and_counts_what_would_be(pipeline, ada):
    pipeline.run(0, 100, external_id="0")
    with nothing_stored():
        counts, items = answered(pipeline.send("runs/batch/?dry_run=true", bodies(0, 30, 101)))
    assert counts == {"created": 1, "replayed": 1, "refused": 1}
    assert [(each["status"], each.get("id") is None) for each in items] == [(200, False), (200, True), (400, True)]
    assert items[1]["reply"]["dry_run"]
    assert items[1]["reply"]["crises"] == [{"ref": None, "url": None, "opened": True}]


@pytest.mark.parametrize("raw", [b"{", b"{}", b'"run"', b"7", b"null", b"[1", b"\xff"])
def test_what_is_no_array_at_all_is_refused(pipeline, raw):
    with nothing_stored():
        problem(pipeline.send("runs/batch/", raw), 400, "not_json")


def test_an_empty_batch_is_answered(pipeline):
    assert answered(pipeline.send("runs/batch/", [])) == ({"created": 0, "replayed": 0, "refused": 0}, [])


def test_too_many_runs_or_bytes_are_refused_before_anything_is_stored(pipeline, monkeypatch):
    monkeypatch.setattr(batches, "MOST_RUNS", 2)
    with nothing_stored():
        assert "at most 2 runs" in problem(pipeline.send("runs/batch/", bodies(0, 1, 2)), 413, "too_large")["detail"]
    monkeypatch.setattr(batches, "MOST_BYTES", 100)
    with nothing_stored():
        problem(pipeline.send("runs/batch/", bodies(0)), 413, "too_large")
        problem(lines(pipeline, json.dumps(run_body(0, 100)).encode()), 413, "too_large")


def test_a_batch_may_be_larger_than_a_single_post(pipeline):
    counts, _ = answered(pipeline.send("runs/batch/", bodies(*[0] * 40, provenance={"log": "x" * 30_000})))
    assert counts["created"] == 40


def test_another_media_type_is_refused(pipeline):
    about = {"content_type": "text/csv", "headers": pipeline._headers()}
    problem(pipeline.client.post("/api/v1/runs/batch/", b"a,b", **about), 415, "unsupported_media_type")


def test_an_unknown_parameter_is_refused(pipeline):
    with nothing_stored():
        assert faults(pipeline.send("runs/batch/?dryrun=true", bodies(0))) == [("/dryrun", "invalid")]


def test_a_token_without_the_scope_posts_no_batch(pipeline_with):
    pipeline = pipeline_with("read")
    with nothing_stored():
        problem(pipeline.send("runs/batch/", bodies(0)), 403, "not_allowed")


def test_a_database_that_is_gone_takes_nothing(pipeline):
    with nothing_stored(), mock.patch("crises.receiving.record_runs", side_effect=OperationalError("gone")):
        problem(pipeline.send("runs/batch/", bodies(0, 1)), 503, "unavailable")


def test_ten_thousand_runs_are_one_batch(pipeline, ada):
    counts, items = answered(pipeline.send("runs/batch/", bodies(*(number % 16 for number in range(10_000)))))
    assert counts == {"created": 10_000, "replayed": 0, "refused": 0}
    assert (EvalRun.objects.count(), EvalResult.objects.count(), Receipt.objects.count()) == (10_000, 10_000, 10_000)
    assert (items[-1]["id"], log.verify()) == (EvalRun.objects.get(external_id="9999").pk, None)


def test_an_array_of_millions_is_refused_before_its_items_are_built(pipeline, monkeypatch):
    monkeypatch.setattr(batches, "read_items", None)
    content = b"[" + b"1," * 600_000 + b"1]"
    problem(pipeline.send("runs/batch/", content), 413, "too_large")
