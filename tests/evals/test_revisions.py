"""What a file is to what is stored of its run."""

import datetime as dt

import pytest

from evals.revisions import Choice, choose, is_newer, is_older, says_the_same, with_plan
from evals.submissions import parse

BODY = {
    "producer": {"name": "inspect_ai", "version": "0.3.285"},
    "external_id": "e1",
    "checkpoint": "aurora-1",
    "evaluation": "ctf@1",
    "status": "success",
    "started": "2026-11-22T09:00:00Z",
    "completed": "2026-11-22T09:05:00Z",
    "measurements": [
        {"metric": "accuracy", "value": 0.5, "stderr": 0.1, "tasks": [{"id": "a", "solved": 1}, {"id": "b", "solved": 0}]},
        {"metric": "f1", "value": 0.4},
    ],
    "coverage": {"planned": 2, "completed": 2, "scored": 2},
    "elicitation": {"attested_by": "Ben", "epochs": 1},
    "provenance": {"task": "ctf", "evidence": "x.eval", "evidence_sha256": "00", "evidence_bytes": 9, "importer": "inspect-eval"},
}
STORED = parse(BODY)
FIRST, SECOND = BODY["measurements"]


def told(**changes):
    blocks = {name: {**BODY[name], **part} for name, part in changes.items() if name in {"coverage", "elicitation", "provenance"}}
    return parse({**BODY, **changes, **blocks})


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {
            "provenance": {
                "evidence": "y.eval",
                "evidence_sha256": "11",
                "evidence_bytes": 10,
                "importer": "inspect-json",
                "log_written": "x",
            }
        },
        {"provenance": {"packages": ["inspect_ai==0.3.285"], "posted_by_hook": True}},
        {"elicitation": {"sandbox": "docker"}},
        {"producer": {"name": "inspect_ai", "version": "0.3.290"}},
        {"started": None, "completed": None},
        {"started": "2026-11-22T10:00:00+01:00"},
        {"measurements": [SECOND, FIRST]},
        {"measurements": [{**FIRST, "tasks": FIRST["tasks"][::-1]}, SECOND]},
        {"measurements": [{**FIRST, "value": None}, SECOND]},
        {"measurements": [{**FIRST, "direction": "higher"}, SECOND]},
        {"provenance": {"log_edits": 0, "invalidated": False}},
    ],
)
def test_where_it_lay_and_how_it_is_written_is_no_other_run(changes):
    assert says_the_same(told(**changes), STORED)


@pytest.mark.parametrize(
    "changes",
    [
        {"status": "error"},
        {"checkpoint": "aurora-2"},
        {"evaluation": "ctf@2"},
        {"relationship": "third_party"},
        {"started": "2026-11-22T08:00:00Z"},
        {"completed": "2026-11-22T09:06:00Z"},
        {"coverage": {"planned": 3}},
        {"coverage": {"errored": 1}},
        {"measurements": [FIRST]},
        {"measurements": [FIRST, SECOND, {"metric": "third", "value": 1}]},
        {"measurements": [FIRST, {**SECOND, "value": 0.41}]},
        {"measurements": [FIRST, {"metric": "f1", "value": None, "reason": "unscored"}]},
        {"measurements": [{**FIRST, "stderr": 0.2}, SECOND]},
        {"measurements": [{**FIRST, "tasks": FIRST["tasks"][:1]}, SECOND]},
        {"measurements": [{**FIRST, "tasks": [{**FIRST["tasks"][0], "family": "x"}, FIRST["tasks"][1]]}, SECOND]},
        {"elicitation": {"attested_by": "Dan"}},
        {"elicitation": {"epochs": 2}},
        {"provenance": {"task": "other"}},
        {"provenance": {"log_edits": 1}},
        {"provenance": {"score_edits": 1}},
        {"provenance": {"invalidated": True}},
    ],
)
def test_what_a_verdict_or_its_reader_could_see_is_another_revision(changes):
    assert not says_the_same(told(**changes), STORED)


def test_an_attestation_gained_is_a_revision_and_one_that_is_not_repeated_is_none():
    unattested = parse({**BODY, "elicitation": {"epochs": 1}})
    assert not says_the_same(STORED, unattested)
    assert says_the_same(unattested, STORED)


def test_a_value_that_follows_from_its_tasks_is_the_stored_one():
    stored = told(measurements=[{**FIRST, "value": None}, SECOND])
    assert says_the_same(stored, STORED)


LATER = {"completed": "2026-11-22T09:30:00Z"}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({}, LATER),
        ({"provenance": {"log_written": "2026-11-22T10:05:00"}}, {"provenance": {"log_written": "2026-11-22T10:30:00"}}),
        ({"provenance": {"log_written": "2026-11-22T10:30:00"}}, {"provenance": {"log_edits": 1, "log_written": "2026-11-22T10:05:00"}}),
        ({"provenance": {"log_edits": 3}}, {**LATER, "provenance": {"log_edits": 1}}),
        ({"status": "started"}, {}),
        ({"status": "lost", "completed": None}, {"status": "error", "coverage": {"completed": 1}}),
        ({"status": "started", "coverage": {"completed": 0, "scored": 0}}, {"status": "lost", "coverage": {"completed": 1, "scored": 1}}),
    ],
)
def test_the_evidence_of_both_says_which_is_older(one, other):
    assert is_older(told(**one), told(**other))
    assert is_newer(told(**other), told(**one))
    assert not is_older(told(**other), told(**one))
    assert not is_newer(told(**one), told(**other))


@pytest.mark.parametrize(
    "changes",
    [
        {"measurements": [SECOND]},
        {"completed": None},
        {"provenance": {"log_written": "2026-11-22T10:05:00"}},
        {"provenance": {"log_written": 7, "log_edits": "many"}},
    ],
)
def test_where_only_one_gives_evidence_neither_is_older(changes):
    assert not is_older(told(**changes), STORED)
    assert not is_newer(told(**changes), STORED)


RESCORED = {"measurements": [{**FIRST, "value": None, "tasks": [{"id": "a", "solved": 0}, {"id": "b", "solved": 0}]}]}


@pytest.mark.parametrize(
    ("new", "stored", "choice"),
    [
        ({}, [], Choice("store")),
        ({}, [{}], Choice("same", 0)),
        (RESCORED, [{}], Choice("store")),
        ({}, [RESCORED, {}], Choice("same", 1)),
        ({"provenance": {"log_edits": 1}}, [{"provenance": {"log_edits": 1}}, {}], Choice("same", 0)),
        (LATER, [RESCORED, LATER], Choice("store")),
        (RESCORED, [LATER], Choice("newer")),
        ({"status": "lost"}, [{}], Choice("newer")),
        ({}, [{"status": "lost"}], Choice("store")),
        ({"status": "error", "coverage": {"planned": 2, "completed": 1}}, [{"status": "started"}], Choice("store")),
        ({}, [LATER, RESCORED], Choice("newer")),
    ],
)
def test_the_choice(new, stored, choice):
    assert choose(told(**new), [told(**each) for each in stored]) == choice


def test_a_plan_is_never_lowered():
    shrunk = told(coverage={"planned": 16})
    assert with_plan(shrunk, [None, 40, 16]).coverage.planned == 40
    assert with_plan(shrunk, [None]) is shrunk
    assert with_plan(shrunk, []) is shrunk
    assert with_plan(parse({**BODY, "coverage": {}}), [3]).coverage.planned == 3
    assert with_plan(shrunk, [40]).completed == dt.datetime(2026, 11, 22, 9, 5, tzinfo=dt.UTC)


def test_a_file_that_shows_that_only_a_part_was_run_is_no_repeat():
    part = told(provenance={"selected_samples": 2, "dataset_samples": 9})
    assert (says_the_same(part, STORED), says_the_same(STORED, part)) == (False, True)
    assert choose(part, [STORED]) == Choice("store")


@pytest.mark.parametrize(("done", "do"), [(0, "newer"), (1, "newer"), (2, "store")])
def test_a_run_that_was_given_up_lives_only_where_its_log_went_on(done, do):
    lost = told(status="lost", measurements=[], coverage={"completed": 1, "scored": 1})
    assert choose(told(status="started", measurements=[], coverage={"completed": done, "scored": done}), [lost]) == Choice(do)
