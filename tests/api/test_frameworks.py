import pytest

from tests.api.conftest import problem

pytestmark = pytest.mark.django_db


def keys(answer, name="key"):
    return [row[name] for row in answer.json()["results"]]


def test_frameworks_are_listed_with_the_keys_of_their_levels(pipeline, small):
    (framework,) = pipeline.get("frameworks/").json()["results"]
    assert (framework["key"], framework["developer"], framework["retest_days"]) == ("small-1.0", "Northwind", 90)
    assert framework["levels"] == ["small-1.0.uplift"]


def test_a_level_is_read_with_its_lines(pipeline, small):
    level = pipeline.get("levels/small-1.0.uplift/").json()
    assert (level["framework"], level["domain"], level["kind"], level["stages"]) == ("small-1.0", "cyber", "critical", ["external"])
    lines = [(line["kind"], line["evaluation"], line["comparator"], line["value"], line["policy"]) for line in level["thresholds"]]
    assert lines == [("alert", "ctf@1", ">=", 0.2, "precautionary"), ("critical", "ctf@1", ">=", 0.5, "point")]
    assert pipeline.get("levels/").json()["results"] == [level]


@pytest.mark.parametrize("key", ["none", "small-1.0", "SMALL-1.0.uplift", "small-1.0.uplift.", "'"])
def test_a_level_that_is_not_there_is_not_found(pipeline, small, key):
    problem(pipeline.get(f"levels/{key}/"), 404, "not_found")


def test_an_illustrative_line_says_so_with_its_reason(pipeline, enact):
    line = {"kind": "alert", "evaluation": "ctf@1", "value": 0.2, "policy": "precautionary", "source": "the tests"}
    enact(levels=[{"thresholds": [{**line, "illustrative": True, "reason": "The lab drew none."}]}])
    (line,) = pipeline.get("levels/small-1.0.uplift/").json()["thresholds"]
    assert (line["illustrative"], line["reason"]) == (True, "The lab drew none.")


def test_a_status_tells_where_a_checkpoint_stands(pipeline, small, aurora):
    pipeline.run(3, 12)
    (status,) = pipeline.get("statuses/").json()["results"]
    assert (status["checkpoint"], status["level"], status["evaluation"]) == ("aurora-1", "small-1.0.uplift", "ctf@1")
    assert (status["state"], status["point"], status["alert_value"], status["critical_ruled_out"]) == ("alert", 0.25, 0.2, False)
    assert (status["reported"], status["differs"], status["illustrative"]) == ("", False, False)


ASKED = [
    ({}, ["aurora-1", "aurora-2"]),
    ({"checkpoint": "aurora-2"}, ["aurora-2"]),
    ({"state": "alert"}, ["aurora-1"]),
    ({"state": "alert", "checkpoint": "aurora-2"}, []),
    ({"level": "small-1.0.uplift"}, ["aurora-1", "aurora-2"]),
    ({"level": "uplift"}, []),
    ({"state": "no such"}, []),
    ({"limit": 1}, ["aurora-1"]),
]


def test_statuses_are_listed_by_what_is_asked_for(pipeline, small, aurora):
    pipeline.send("checkpoints/", {"slug": "aurora-2", "name": "Aurora 2", "model": "aurora"})
    pipeline.run(3, 12)
    pipeline.run(0, 12, external_id="2", checkpoint="aurora-2")
    for query, found in ASKED:
        assert keys(pipeline.get("statuses/", **query), "checkpoint") == found, query


@pytest.mark.parametrize("path", ["frameworks/", "levels/", "statuses/"])
def test_with_nothing_loaded_the_lists_are_empty(pipeline, path):
    assert keys(pipeline.get(path)) == []
