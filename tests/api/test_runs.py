import json

import pytest

from audit.models import Entry
from crises.models import Crisis
from evals.models import EvalResult, EvalRun
from tests.api.conftest import faults, nothing_stored, problem
from tests.conftest import run_body

pytestmark = pytest.mark.django_db
LEFT_OUT = object()


def body_with(**changes):
    """The smallest useful body with changes; a field can be left out."""
    return {name: value for name, value in {**run_body(3, 12), **changes}.items() if value is not LEFT_OUT}


def measured(**item):
    return {"measurements": [{"metric": "solved", **item}]}


def task(**more):
    return {"id": "a", "solved": 1, **more}


def test_a_run_is_stored_judged_and_answered(pipeline, small, aurora, ada):
    answer = pipeline.run(3, 12)
    run = EvalRun.objects.get()
    reply = answer.json()
    assert (answer.status_code, answer["Location"], answer["Content-Type"]) == (201, f"/api/v1/runs/{run.pk}/", "application/json")
    assert (reply["id"], reply["ref"], reply["replayed"], reply["status"], reply["complete"]) == (run.pk, run.ref, False, "success", True)
    assert [(verdict["threshold"], verdict["state_before"], verdict["state"]) for verdict in reply["verdicts"]] == [
        ("alert", "no_result", "alert"),
        ("critical", "no_result", "alert"),
    ]
    assert reply["crises"] == [
        {"ref": Crisis.objects.get().ref, "url": f"http://127.0.0.1:8000/crises/{Crisis.objects.get().pk}/", "opened": True}
    ]
    assert (run.posted_by, reply["alerts_queued"]) == ("service:nightly", 1)


def test_what_nothing_judges_is_recorded_and_said(pipeline, enact, aurora):
    enact(evaluations=[{}, {"slug": "other"}])
    answer = pipeline.run(3, 12, evaluation="other@1")
    assert (answer.status_code, answer.json()["verdicts"], EvalRun.objects.count()) == (201, [], 1)
    assert "nothing was judged" in answer.json()["notes"][0]


@pytest.mark.usefixtures("small", "aurora")
@pytest.mark.parametrize(
    ("changes", "complete", "said"),
    [
        ({"status": "started", "measurements": LEFT_OUT}, False, "only started"),
        ({"status": "error", "measurements": LEFT_OUT}, False, "incomplete"),
        ({"status": "cancelled"}, False, "incomplete"),
        ({"coverage": {"planned": 24}}, False, "incomplete"),
        (measured(reason="The container died."), False, "incomplete"),
    ],
)
def test_a_run_that_is_not_whole_is_stored_and_said_to_be_so(pipeline, changes, complete, said):
    answer = pipeline.send("runs/", body_with(**changes))
    assert (answer.status_code, answer.json()["complete"]) == (201, complete)
    assert said in answer.json()["notes"][0]


def test_the_same_content_again_is_answered_as_the_first_time(pipeline, small, aurora, ada):
    first = pipeline.run(3, 12)
    with nothing_stored():
        second = pipeline.send("runs/", json.dumps(dict(reversed(run_body(3, 12).items())), indent=4))
    assert (second.status_code, second["Location"]) == (200, first["Location"])
    assert second.json() == {**first.json(), "replayed": True}


def test_other_content_under_the_same_identity_is_refused_with_the_place_of_the_first(pipeline, small, aurora):
    first = pipeline.run(3, 12)
    with nothing_stored():
        answer = pipeline.run(4, 12)
    body = problem(answer, 409, "content_differs")
    assert answer["Location"] == first["Location"]
    assert f'"supersedes": {first.json()["id"]}' in body["detail"]
    assert EvalResult.objects.get().solved == 3


def test_a_dry_run_stores_nothing_and_says_what_would_happen(pipeline, small, aurora, ada):
    with nothing_stored():
        answer = pipeline.send("runs/?dry_run=true", run_body(3, 12))
    reply = answer.json()
    assert (answer.status_code, "Location" in answer, reply["id"], reply["dry_run"]) == (200, False, None, True)
    assert [verdict["state"] for verdict in reply["verdicts"]] == ["alert", "alert"]
    assert pipeline.send("runs/?dry_run=false", run_body(3, 12)).status_code == 201


@pytest.mark.parametrize(("query", "pointer"), [("dry_run=yes", "/dry_run"), ("dry_run=", "/dry_run"), ("dryrun=true", "/dryrun")])
def test_a_dry_run_that_is_misspelt_stores_nothing(pipeline, small, aurora, query, pointer):
    with nothing_stored():
        assert faults(pipeline.send(f"runs/?{query}", run_body(3, 12))) == [(pointer, "invalid")]


def test_the_end_of_a_run_needs_not_name_its_start(pipeline, small, aurora):
    begun = pipeline.run(status="started").json()["id"]
    ended = pipeline.run(0, 500)
    assert (ended.status_code, EvalRun.objects.get(pk=ended.json()["id"]).supersedes_id) == (201, begun)
    problem(pipeline.run(1, 500), 409, "content_differs")


@pytest.mark.parametrize("named", [lambda run: run["id"], lambda run: run["ref"], lambda run: str(run["id"])])
def test_a_correction_names_the_run_it_supersedes(pipeline, small, aurora, named):
    first = pipeline.run(3, 12).json()
    answer = pipeline.run(4, 12, supersedes=named(first))
    assert (answer.status_code, answer.json()["id"] != first["id"]) == (201, True)
    assert EvalRun.objects.get(pk=answer.json()["id"]).revision == 2
    with nothing_stored():
        again = pipeline.run(4, 12, supersedes=named(first))
    assert (again.status_code, again.json()["id"]) == (200, answer.json()["id"])


def test_only_the_newest_run_of_the_same_identity_can_be_superseded(pipeline, small, aurora):
    first, other = pipeline.run(3, 12).json()["id"], pipeline.run(3, 12, external_id="2").json()["id"]
    pipeline.run(4, 12, supersedes=first)
    with nothing_stored():
        for run in (first, other, 0, -1, 10**18, "R-", "one"):
            assert faults(pipeline.run(5, 12, supersedes=run)) == [("/supersedes", "not_the_newest")]
    assert EvalRun.objects.count() == 3


SHAPES = [
    ({"producer": LEFT_OUT}, "/producer", "required"),
    ({"producer": "nightly"}, "/producer", "invalid"),
    ({"producer": ["nightly"]}, "/producer", "invalid"),
    ({"producer": {}}, "/producer/name", "required"),
    ({"producer": {"name": ""}}, "/producer/name", "invalid"),
    ({"producer": {"name": "n" * 81}}, "/producer/name", "invalid"),
    ({"producer": {"name": "n", "version": 5}}, "/producer/version", "invalid"),
    ({"producer": {"name": "n", "colour": "red"}}, "/producer/colour", "unknown_field"),
    ({"external_id": LEFT_OUT}, "/external_id", "required"),
    ({"external_id": 7}, "/external_id", "invalid"),
    ({"external_id": ""}, "/external_id", "invalid"),
    ({"external_id": "x" * 201}, "/external_id", "invalid"),
    ({"checkpoint": None}, "/checkpoint", "invalid"),
    ({"checkpoint": ["aurora-1"]}, "/checkpoint", "invalid"),
    ({"evaluation": {"slug": "ctf"}}, "/evaluation", "invalid"),
    ({"colour": "red"}, "/colour", "unknown_field"),
    ({"a/b~c": 1}, "/a~1b~0c", "unknown_field"),
    ({"measurements": {"solved": 3}}, "/measurements", "invalid"),
    ({"measurements": ["solved"]}, "/measurements/0", "invalid"),
    ({"measurements": [{}]}, "/measurements/0/metric", "required"),
    ({"measurements": [{"metric": f"m{n}", "value": 0} for n in range(101)]}, "/measurements", "invalid"),
    (measured(solved=3, totl=12), "/measurements/0/totl", "unknown_field"),
    (measured(solved=3, total="12"), "/measurements/0/total", "invalid"),
    (measured(solved=3, total=12.5), "/measurements/0/total", "invalid"),
    (measured(solved=3, total=3_000_000_000), "/measurements/0/total", "invalid"),
    (measured(solved=3, total=10**40), "/measurements/0/total", "invalid"),
    (measured(value="0.5"), "/measurements/0/value", "invalid"),
    (measured(value=True), "/measurements/0/value", "invalid"),
    (measured(value=0.5, stderr=-0.1), "/measurements/0/stderr", "invalid"),
    (measured(value=0.5, n_tasks=0), "/measurements/0/n_tasks", "invalid"),
    (measured(value=0.5, ci_low=0.4, ci_high=0.6, ci_level=95), "/measurements/0/ci_level", "invalid"),
    (measured(tasks=[]), "/measurements/0/tasks", "invalid"),
    (measured(tasks=[task(attempts=0)]), "/measurements/0/tasks/0/attempts", "invalid"),
    (measured(tasks=[task(), {"id": "b"}]), "/measurements/0/tasks/1/solved", "required"),
    ({"status": "done"}, "/status", "invalid"),
    ({"started": "yesterday"}, "/started", "invalid"),
    ({"completed": 1_700_000_000}, "/completed", "invalid"),
    ({"coverage": {"planned": -1}}, "/coverage/planned", "invalid"),
    ({"coverage": [12]}, "/coverage", "invalid"),
    ({"provenance": "the log"}, "/provenance", "invalid"),
    ({"relationship": "friend"}, "/relationship", "invalid"),
    ({"supersedes": True}, "/supersedes", "invalid"),
    ({"supersedes": [1]}, "/supersedes", "invalid"),
]
MEANINGS = [
    ({"checkpoint": "aurora-9"}, "/checkpoint", "unknown_checkpoint"),
    ({"evaluation": "ctf@9"}, "/evaluation", "unknown_evaluation"),
    ({"evaluation": "@"}, "/evaluation", "unknown_evaluation"),
    ({"measurements": []}, "/measurements", "required"),
    ({"measurements": [{"metric": "elo", "value": 0.5}]}, "/measurements", "metric_missing"),
    ({"measurements": measured(solved=3, total=12)["measurements"] * 2}, "/measurements/1/metric", "repeated"),
    (measured(), "/measurements/0", "required"),
    (measured(value=None), "/measurements/0", "required"),
    (measured(solved=3), "/measurements/0/total", "required"),
    (measured(reason="Crashed.", total=12), "/measurements/0/solved", "required"),
    (measured(solved=13, total=12), "/measurements/0/solved", "out_of_range"),
    (measured(solved=-1, total=12), "/measurements/0/solved", "out_of_range"),
    (measured(solved=0, total=0), "/measurements/0/total", "out_of_range"),
    (measured(solved=2.5, total=12), "/measurements/0/solved", "not_integer"),
    (measured(value=1.5), "/measurements/0/value", "score_outside_bounds"),
    (measured(value=0.5, ci_low=0.4), "/measurements/0/ci_high", "required"),
    (measured(value=0.5, ci_low=0.6, ci_high=0.4), "/measurements/0/ci_low", "interval_out_of_order"),
    (measured(value=0.5, ci_low=0.6, ci_high=0.7), "/measurements/0/value", "estimate_outside_interval"),
    (measured(value=0.9, solved=3, total=12), "/measurements/0", "contradiction"),
    (measured(tasks=[task(), task()]), "/measurements/0/tasks", "repeated"),
    (measured(tasks=[task(solved=2)]), "/measurements/0/tasks/0/solved", "out_of_range"),
    ({"coverage": {"errored": 10}}, "/measurements/0/total", "solved_plus_errored_exceeds_total"),
    ({"started": "2025-11-01T09:00:00"}, "/started", "no_time_zone"),
    ({"started": "0001-01-01T00:00:00+14:00"}, "/started", "out_of_range"),
    ({"completed": "9998-01-01T00:00:00Z"}, "/completed", "in_the_future"),
    ({"started": "2025-11-01T09:00:00Z", "completed": "2025-11-01T10:00:00+02:00"}, "/completed", "before_start"),
    ({"supersedes": 1}, "/supersedes", "not_the_newest"),
]


@pytest.mark.parametrize(("changes", "pointer", "code"), SHAPES)
def test_a_body_of_another_shape_is_refused_where_it_is_wrong_and_nothing_is_stored(pipeline, changes, pointer, code):
    with nothing_stored():
        assert faults(pipeline.send("runs/", body_with(**changes))) == [(pointer, code)]


@pytest.mark.usefixtures("small", "aurora")
@pytest.mark.parametrize(("changes", "pointer", "code"), MEANINGS)
def test_what_a_body_says_wrongly_is_refused_where_it_is_wrong_and_nothing_is_stored(pipeline, changes, pointer, code):
    with nothing_stored():
        assert faults(pipeline.send("runs/", body_with(**changes))) == [(pointer, code)]


@pytest.mark.parametrize("field", ["elicitation", "provenance"])
@pytest.mark.parametrize("block", [{"a": {"b": 1}}, {"a": [[1]]}, {"a": 10**30}, {"k" * 81: 1}, [1], 1])
def test_blocks_of_ones_own_are_flat(pipeline, field, block):
    with nothing_stored():
        ((pointer, code),) = faults(pipeline.send("runs/", body_with(**{field: block})))
    assert (pointer.split("/")[1], code) == (field, "invalid")


@pytest.mark.parametrize("raw", [b"", b"{}", b"[]", b"null", b"7", b'"run"', b"true", b"[{}]"])
def test_what_is_no_run_at_all_is_refused(pipeline, raw):
    with nothing_stored():
        ((pointer, code),) = faults(pipeline.send("runs/", raw))
    assert (pointer, code) == (("/producer", "required") if raw in {b"", b"{}"} else ("", "invalid"))


def test_every_fault_of_a_well_formed_body_is_listed(pipeline, small, aurora):
    times = {"started": "2025-11-01T09:00:00Z", "completed": "2025-11-01T08:00:00Z"}
    answer = pipeline.send("runs/", body_with(**times, **measured(solved=13, total=12, value=0.5, ci_low=0.1)))
    assert faults(answer) == [
        ("/completed", "before_start"),
        ("/measurements/0/solved", "out_of_range"),
        ("/measurements/0/ci_high", "required"),
    ]
    assert answer.json()["detail"].startswith("3 faults")
    unknown = pipeline.send("runs/", body_with(checkpoint="none", evaluation="none"))
    assert [pointer for pointer, _ in faults(unknown)] == ["/checkpoint", "/evaluation"]


def test_an_evaluation_of_several_versions_is_named_with_its_version(pipeline, enact, aurora):
    enact(evaluations=[{}, {"version": "2"}])
    answer = pipeline.run(3, 12, evaluation="ctf")
    assert faults(answer) == [("/evaluation", "unknown_evaluation")]
    assert "ctf@1, ctf@2" in answer.json()["errors"][0]["detail"]
    assert pipeline.run(3, 12, evaluation="ctf@1").status_code == 201


def test_the_longest_names_and_the_largest_counts_are_taken(pipeline, small, aurora):
    much = 2_000_000_000
    body = body_with(
        producer={"name": "ü" * 80, "version": "v" * 40},
        external_id="😀" * 200,
        coverage={"planned": much, "completed": much, "scored": much},
        elicitation={"k" * 80: [2**63 - 1, -(2**63), 1.7e308, 5e-324, None, True, "\u2028"]},
        **measured(solved=0, total=much),
    )
    answer = pipeline.send("runs/", body)
    assert answer.status_code == 201
    kept = pipeline.get(f"runs/{answer.json()['id']}/").json()
    assert (kept["external_id"], kept["elicitation"]) == (body["external_id"], body["elicitation"])
    assert kept["results"][0]["total"] == much


@pytest.mark.usefixtures("aurora")
def test_huge_numbers_are_answered_and_read_back_as_they_were_posted(pipeline, enact):
    line = {"kind": "alert", "evaluation": "ctf@1", "value": 1e20, "policy": "point", "source": "the tests"}
    enact(evaluations=[{"unit": "points", "maximum": None}], levels=[{"thresholds": [line]}])
    body = body_with(provenance={"flop": 3e25}, **measured(value=3e25))
    first, again = pipeline.send("runs/", body), pipeline.send("runs/", body)
    assert (first.status_code, again.status_code, first.json()["verdicts"][0]["point"]) == (201, 200, 3e25)
    assert again.json() == {**first.json(), "replayed": True}
    kept = pipeline.get(f"runs/{first.json()['id']}/").json()
    assert (kept["provenance"], kept["results"][0]["value"], kept["reply"]) == ({"flop": 3e25}, 3e25, first.json())


def test_a_refused_run_leaves_no_entry_and_a_stored_one_leaves_its_own(pipeline, small, aurora):
    before = Entry.objects.count()
    pipeline.run(13, 12)
    assert Entry.objects.count() == before
    pipeline.run(0, 12)
    assert Entry.objects.filter(action="evals.run.record", actor="nightly").count() == 1
