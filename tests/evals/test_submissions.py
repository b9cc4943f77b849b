import datetime as dt
import hashlib
import json
import math
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals.submissions import InvalidSubmission, digest, is_complete, missing_samples, parse, parse_all
from tests.conftest import run_body

ROOT = Path(__file__).resolve().parents[2]
MEASURED = {"metric": "solved", "solved": 3, "total": 12}


def measuring(**item):
    return {"measurements": [{"metric": "solved", **item}]}


def faults(**more):
    with pytest.raises(InvalidSubmission) as wrong:
        parse(run_body(**{"measurements": [MEASURED], **more}))
    return [(fault.pointer, fault.code) for fault in wrong.value.errors]


def test_the_smallest_useful_body_is_a_successful_first_party_run():
    found = parse(run_body(6, 12))
    assert (found.producer.name, found.external_id, found.checkpoint, found.evaluation) == ("nightly", "1", "aurora-1", "ctf@1")
    assert (found.status, found.relationship, found.measurements[0].solved, found.measurements[0].total) == (
        "success",
        "first_party",
        6,
        12,
    )
    assert is_complete(found)


def test_a_measurement_needs_its_metric():
    assert faults(measurements=[{"value": 4}]) == [("/measurements/0/metric", "required")]


@pytest.mark.parametrize("field", ["producer", "external_id", "checkpoint", "evaluation"])
def test_what_is_missing_is_named(field):
    body = run_body(6, 12)
    del body[field]
    with pytest.raises(InvalidSubmission) as wrong:
        parse(body)
    assert [(fault.pointer, fault.code) for fault in wrong.value.errors] == [(f"/{field}", "required")]


@pytest.mark.parametrize(
    ("more", "pointer"),
    [
        ({"unknown": 1}, "/unknown"),
        ({"a/b~c": 1}, "/a~1b~0c"),
        ({"producer": {"name": "x", "nmae": "y"}}, "/producer/nmae"),
        ({"coverage": {"complete": 3}}, "/coverage/complete"),
        (measuring(value=1, std=2), "/measurements/0/std"),
        (measuring(tasks=[{"id": "a", "solved": 1}, {"id": "b", "solved": 1, "passed": True}]), "/measurements/0/tasks/1/passed"),
    ],
)
def test_an_unknown_field_is_refused_where_it_stands(more, pointer):
    assert faults(**more) == [(pointer, "unknown_field")]


WRONG_TYPES = [
    ({"producer": "nightly"}, "/producer"),
    ({"producer": {"name": 3}}, "/producer/name"),
    ({"producer": {"name": ""}}, "/producer/name"),
    ({"producer": {"name": "x" * 81}}, "/producer/name"),
    ({"producer": {"name": "x", "version": 2}}, "/producer/version"),
    ({"external_id": 7}, "/external_id"),
    ({"external_id": ""}, "/external_id"),
    ({"external_id": "x" * 201}, "/external_id"),
    ({"external_id": None}, "/external_id"),
    ({"checkpoint": ["aurora-1"]}, "/checkpoint"),
    ({"evaluation": {"slug": "ctf"}}, "/evaluation"),
    ({"measurements": {}}, "/measurements"),
    ({"measurements": [MEASURED] * 101}, "/measurements"),
    ({"measurements": [3]}, "/measurements/0"),
    ({"measurements": [{"metric": 3, "value": 4}]}, "/measurements/0/metric"),
    (measuring(value="0.5"), "/measurements/0/value"),
    (measuring(value=True), "/measurements/0/value"),
    (measuring(solved="3", total=4), "/measurements/0/solved"),
    (measuring(solved=3, total=4.5), "/measurements/0/total"),
    (measuring(solved=3, total=-4), "/measurements/0/total"),
    (measuring(solved=3, total=10**12), "/measurements/0/total"),
    (measuring(solved=3, total=True), "/measurements/0/total"),
    (measuring(value=1, n_tasks=0), "/measurements/0/n_tasks"),
    (measuring(value=1, stderr=-0.1), "/measurements/0/stderr"),
    (measuring(value=1, ci_level=0), "/measurements/0/ci_level"),
    (measuring(value=1, ci_level=1), "/measurements/0/ci_level"),
    (measuring(value=1, ci_level=1e-300), "/measurements/0/ci_level"),
    (measuring(value=1, ci_level=0.9999999999999999), "/measurements/0/ci_level"),
    (measuring(value=1, ci_level=95), "/measurements/0/ci_level"),
    (measuring(tasks=[]), "/measurements/0/tasks"),
    (measuring(tasks=[{"id": "", "solved": 1}]), "/measurements/0/tasks/0/id"),
    (measuring(tasks=[{"id": "a", "solved": -1}]), "/measurements/0/tasks/0/solved"),
    (measuring(tasks=[{"id": "a", "solved": 0.5}]), "/measurements/0/tasks/0/solved"),
    (measuring(tasks=[{"id": "a", "solved": 0, "attempts": 0}]), "/measurements/0/tasks/0/attempts"),
    (measuring(tasks=["a"]), "/measurements/0/tasks/0"),
    ({"status": "ok"}, "/status"),
    ({"status": None}, "/status"),
    ({"started": "yesterday"}, "/started"),
    ({"completed": 1700000000}, "/completed"),
    ({"completed": "2026-02-30T00:00:00Z"}, "/completed"),
    ({"coverage": []}, "/coverage"),
    ({"coverage": {"planned": -1}}, "/coverage/planned"),
    ({"coverage": {"errored": None}}, "/coverage/errored"),
    ({"coverage": {"errored": 10**30}}, "/coverage/errored"),
    ({"elicitation": [1]}, "/elicitation"),
    ({"elicitation": {"tools": {"bash": True}}}, "/elicitation/*"),
    ({"provenance": {"x" * 81: 1}}, "/provenance"),
    ({"provenance": {"seed": 2**63}}, "/provenance/*"),
    ({"provenance": {"seed": -(10**30)}}, "/provenance/*"),
    ({"provenance": {"seeds": [1, 10**30]}}, "/provenance/*/1"),
    ({"relationship": "friend"}, "/relationship"),
    ({"supersedes": 1.5}, "/supersedes"),
    ({"supersedes": True}, "/supersedes"),
    ({"supersedes": [1]}, "/supersedes"),
]


@pytest.mark.parametrize(("more", "pointer"), WRONG_TYPES)
def test_a_value_of_the_wrong_kind_is_refused_where_it_stands(more, pointer):
    assert faults(**more) == [(pointer, "invalid")]


@pytest.mark.parametrize(
    ("item", "where", "code"),
    [
        ({}, "", "required"),
        ({"solved": 3}, "/total", "required"),
        ({"total": 3}, "", "required"),
        ({"total": 3, "reason": "nothing ran"}, "/solved", "required"),
        ({"solved": 0, "total": 0}, "/total", "out_of_range"),
        ({"solved": 5, "total": 4}, "/solved", "out_of_range"),
        ({"solved": -1, "total": 4}, "/solved", "out_of_range"),
        ({"solved": 1.5, "total": 4}, "/solved", "not_integer"),
        ({"value": 1, "ci_low": 0}, "/ci_high", "required"),
        ({"value": 1, "ci_high": 2}, "/ci_low", "required"),
        ({"value": 1, "ci_low": 2, "ci_high": 0}, "/ci_low", "interval_out_of_order"),
        ({"value": 3, "ci_low": 0, "ci_high": 2}, "/value", "estimate_outside_interval"),
        ({"tasks": [{"id": "a", "solved": 2}]}, "/tasks/0/solved", "out_of_range"),
        ({"tasks": [{"id": "a", "solved": 3, "attempts": 2}]}, "/tasks/0/solved", "out_of_range"),
        ({"tasks": [{"id": "a", "solved": 0}, {"id": "a", "solved": 1}]}, "/tasks", "repeated"),
    ],
)
def test_a_measurement_that_contradicts_itself_is_refused(item, where, code):
    assert (f"/measurements/0{where}", code) in faults(**measuring(**item))


@pytest.mark.parametrize("name", ["value", "solved", "stderr", "ci_low", "ci_high"])
@pytest.mark.parametrize("number", [float("nan"), float("inf"), -float("inf")])
def test_a_number_that_is_not_finite_is_refused(name, number):
    item = {"value": 1.0, "solved": 1, "total": 2, "ci_low": 0.0, "ci_high": 2.0, name: number}
    assert faults(**measuring(**item))[0] in {
        (f"/measurements/0/{name}", "not_finite"),
        (f"/measurements/0/{name}", "invalid"),
    }


@pytest.mark.parametrize("block", ["elicitation", "provenance"])
@pytest.mark.parametrize("value", [float("nan"), [1, float("inf")]])
def test_what_is_told_beside_it_is_finite_too(block, value):
    assert faults(**{block: {"a": value}}) == [(f"/{block}/a", "not_finite")]


@pytest.mark.parametrize(
    ("more", "where", "code"),
    [
        ({"completed": "2026-01-01T00:00:00"}, "/completed", "no_time_zone"),
        ({"started": "2026-01-01T00:00:00"}, "/started", "no_time_zone"),
        ({"started": "2026-01-02T00:00:00Z", "completed": "2026-01-01T00:00:00Z"}, "/completed", "before_start"),
        ({"started": "0001-01-01T00:00:00+14:00"}, "/started", "out_of_range"),
        ({"completed": "0001-01-01T00:00:00+14:00"}, "/completed", "out_of_range"),
        ({"started": "9999-12-31T23:59:59-12:00"}, "/started", "out_of_range"),
        ({"completed": "1969-12-31T23:59:59Z"}, "/completed", "out_of_range"),
    ],
)
def test_a_time_that_means_no_moment_is_refused(more, where, code):
    assert faults(**more) == [(where, code)]


def test_a_metric_may_stand_once_and_success_needs_one():
    assert faults(measurements=[MEASURED, MEASURED]) == [("/measurements/1/metric", "repeated")]
    assert faults(measurements=[]) == [("/measurements", "required")]


@pytest.mark.parametrize("status", ["started", "error", "cancelled", "lost"])
def test_a_run_that_did_not_succeed_may_come_without_measurements(status):
    assert parse(run_body(status=status)).measurements == []


def test_every_fault_is_told_at_once():
    items = [{"metric": "solved", "solved": 5, "total": 4}, {"metric": "solved", "value": 3, "ci_low": 0, "ci_high": 2}]
    assert faults(measurements=items, completed="2026-01-01T00:00:00") == [
        ("/completed", "no_time_zone"),
        ("/measurements/0/solved", "out_of_range"),
        ("/measurements/1/metric", "repeated"),
        ("/measurements/1/value", "estimate_outside_interval"),
    ]


@pytest.mark.parametrize(
    ("coverage", "complete", "missing"),
    [
        ({}, True, 0),
        ({"planned": 12}, True, 0),
        ({"planned": 12, "completed": 12, "scored": 12}, True, 0),
        ({"planned": 12, "completed": 13}, True, 0),
        ({"planned": 12, "completed": 11}, False, 1),
        ({"planned": 12, "completed": 12, "scored": 10}, False, 2),
        ({"planned": 12, "completed": 0}, False, 12),
        ({"errored": 1}, False, 1),
        ({"unscored": 2}, False, 2),
        ({"limit_hit": 3}, False, 3),
        ({"errored": 1, "unscored": 2, "limit_hit": 3}, False, 6),
        ({"planned": 12, "completed": 10, "errored": 1}, False, 2),
        ({"planned": 12, "completed": 10, "errored": 5}, False, 5),
    ],
)
def test_a_run_is_complete_only_where_nothing_of_its_plan_is_missing(coverage, complete, missing):
    found = parse(run_body(0, 12, coverage=coverage))
    assert (is_complete(found), missing_samples(found)) == (complete, missing)


@pytest.mark.parametrize(
    ("provenance", "complete"),
    [
        ({}, True),
        ({"selected_samples": 12, "dataset_samples": 12}, True),
        ({"selected_samples": 12, "dataset_samples": 2376}, False),
        ({"selected_samples": 12}, True),
        ({"selected_samples": "12", "dataset_samples": 2376}, True),
    ],
)
def test_a_part_of_the_dataset_is_not_the_whole_evaluation(provenance, complete):
    assert is_complete(parse(run_body(0, 12, provenance=provenance))) is complete


def test_a_direction_that_is_said_is_part_of_the_content():
    said = ({}, {"direction": None}, {"direction": "higher"}, {"direction": "lower"})
    told = [digest(parse(run_body(**measuring(value=0.5, **more)))) for more in said]
    assert (told[0] == told[1], len({*told})) == (True, 3)


@pytest.mark.parametrize("status", ["started", "error", "cancelled", "lost"])
def test_only_a_successful_run_is_complete(status):
    assert not is_complete(parse(run_body(0, 12, status=status, coverage={"planned": 12, "completed": 12, "scored": 12})))


def test_the_digest_is_that_of_the_content_and_not_of_its_writing():
    body = run_body(6, 12, provenance={"a": 1, "b": [2]}, completed="2026-01-01T12:00:00Z")
    same = [
        dict(reversed(body.items())),
        {**body, "measurements": [{"total": 12, "solved": 6.0, "metric": "solved"}]},
        {**body, "status": "success", "coverage": {}},
        {**body, "supersedes": 7},
        {**body, "completed": "2026-01-01T12:00:00+00:00"},
    ]
    assert {digest(parse(each)) for each in same} == {digest(parse(body))}


@pytest.mark.parametrize(
    "more",
    [
        {"external_id": "2"},
        {"checkpoint": "aurora-2"},
        {"status": "error"},
        {"measurements": [{**MEASURED, "solved": 4}]},
        {"measurements": [{**MEASURED, "n_tasks": 12}]},
        {"coverage": {"errored": 1}},
        {"provenance": {"a": 1}},
        {"completed": "2026-01-01T12:00:01Z"},
        {"relationship": "third_party"},
        {"producer": {"name": "nightly", "version": "2"}},
    ],
)
def test_other_content_has_another_digest(more):
    assert digest(parse(run_body(3, 12, **more))) != digest(parse(run_body(3, 12)))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.datetimes().map(dt.datetime.isoformat),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)
FIELDS = sorted({*run_body(1, 2), "status", "started", "completed", "coverage", "elicitation", "provenance", "relationship", "supersedes"})
ITEM_FIELDS = ["metric", "value", "solved", "total", "n_tasks", "stderr", "ci_low", "ci_high", "ci_level", "tasks", "reason"]


@given(
    st.dictionaries(st.sampled_from(FIELDS) | st.text(max_size=8), JSON, max_size=4), st.dictionaries(st.sampled_from(ITEM_FIELDS), JSON)
)
def test_whatever_is_posted_it_is_read_or_refused_and_never_breaks(more, item):
    try:
        assert len(digest(parse({**run_body(), "measurements": [{**MEASURED, **item}], **more}))) == 64
        refused = []
    except InvalidSubmission as wrong:
        refused = wrong.errors
    assert all(fault.code and fault.detail and fault.pointer[:1] in {"", "/"} for fault in refused)


NUMBERS = [0, 1, -1, 2**63 - 1, 0.1, -0.0, 1e-4, 1e-5, 123456789012345680.0, 1e16, 1e22, 1.5e300, 5e-324, 100.0, True, None]
TEXTS = ["", "3e5", ":3e5", "ü", "\x7f", "\u2028", '"\\/', "\n\t\x01", "😀", "a" * 200]


@pytest.mark.parametrize("name", ["ö", "o", "direction", "heartbeat_seconds", "supersedes"])
@pytest.mark.parametrize("said", [*NUMBERS, *TEXTS, NUMBERS[:12], TEXTS])
def test_the_digest_is_that_of_the_canonical_json_whichever_way_it_is_written(said, name):
    submission = parse(run_body(3, 12, elicitation={"x": said, name: None, "a": "b"}, completed="2026-01-01T10:00:00.120+02:00"))
    assert digest(submission) == slow_digest(submission)


@pytest.mark.parametrize(
    "more",
    [
        {"supersedes": 3},
        {"supersedes": ',"supersedes":null}'},
        {"status": "started", "heartbeat_seconds": 30},
        {"heartbeat_seconds": 30, "provenance": {"heartbeat_seconds": None}},
        {"measurements": [{**MEASURED, "direction": "higher"}], "elicitation": {"direction": None}},
        {"measurements": [{**MEASURED, "direction": "higher"}, {**MEASURED, "metric": "other"}]},
        {"measurements": [], "status": "error"},
        {"measurements": [{"metric": "solved", "tasks": [{"id": "a", "solved": 1}, {"id": "b", "solved": 0, "score": 1e-5}]}]},
    ],
)
def test_whatever_does_not_belong_to_the_digest_is_left_out_at_its_own_place_only(more):
    submission = parse(run_body(3, 12, **more))
    assert digest(submission) == slow_digest(submission)


@given(st.floats(allow_nan=False, allow_infinity=False) | st.text(st.characters(exclude_categories=["Cs"])))
def test_the_fast_writer_and_the_plain_one_agree_on_any_number_and_text(said):
    submission = parse(run_body(3, 12, elicitation={"x": said}))
    assert digest(submission) == slow_digest(submission)


def slow_digest(submission):
    content = msgspec.to_builtins(submission)
    content.pop("supersedes")
    if content["heartbeat_seconds"] is None:
        content.pop("heartbeat_seconds")
    for item in content["measurements"]:
        if item["direction"] is None:
            del item["direction"]
    return hashlib.sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def test_the_digest_of_a_body_never_changes():
    """Or what was posted before an update would be refused when it is posted again after it."""
    assert digest(parse(run_body(3, 12))) == "fdffa133fe8485fa1ee2ca6264e2f67ab96a93855307544243f186aef64b69ed"


ODD = st.sampled_from(
    [
        *(
            {"measurements": [{**MEASURED, **item}]}
            for item in ({"solved": 13}, {"solved": 2.5}, {"solved": -1}, {"total": 0}, {"total": None})
        ),
        *(
            {"measurements": [{**MEASURED, **item}]}
            for item in ({"solved": 1e308}, {"value": 2}, {"stderr": -1}, {"ci_low": 1}, {"tasks": []})
        ),
        *({"completed": moment} for moment in ("2026-03-01T09:00:00", "1969-12-31T23:59:59Z", "9999-01-01T00:00:00Z", "2026-03-01", 5)),
        *({"provenance": {"a": value}} for value in (1.5, [1.5, "b"], math.inf, [math.nan], {"b": 1}, None)),
        *({"elicitation": {"a": value}} for value in (True, ["b"], [math.inf], 2**70)),
        *({"started": moment} for moment in ("2026-02-28T09:00:00Z", "2026-03-02T09:00:00Z")),
        *({"measurements": found} for found in ([], [MEASURED, MEASURED], [{"metric": "solved"}])),
        {"unheard": 1},
    ]
)


@given(st.lists(ODD | st.just({}), max_size=5))
def test_many_bodies_are_read_and_refused_as_each_is_by_itself(odd):
    bodies = [{**run_body(3, 12, completed="2026-03-01T09:00:00Z"), **more} for more in odd]
    assert [told(found) for found in parse_all(bodies)] == [told(alone(body)) for body in bodies]


def alone(body):
    try:
        return parse(body)
    except InvalidSubmission as refusal:
        return refusal


def told(found):
    return repr(found.errors) if isinstance(found, InvalidSubmission) else repr(found)


CROWD = """
import sys, threading
from evals.submissions import parse
sys.setswitchinterval(1e-6)
at_once = threading.Barrier(8)
body = {"producer": {"name": "a"}, "external_id": "1", "checkpoint": "c", "evaluation": "e", "status": "error"}
threads = [threading.Thread(target=lambda: (at_once.wait(), [parse(body) for _ in range(50)])) for _ in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
"""


def test_threads_that_are_the_first_of_a_process_to_read_a_run_do_so_at_once():
    crowds = [subprocess.Popen([sys.executable, "-c", CROWD], cwd=ROOT) for _ in range(6)]
    assert [crowd.wait(timeout=60) for crowd in crowds] == [0] * 6
