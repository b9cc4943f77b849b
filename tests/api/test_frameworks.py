import datetime as dt

import msgspec
import pytest

from mitigations.drafting import load_draft
from tests.api.conftest import problem
from tests.conftest import small_file
from thresholds.models import Framework

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


def test_one_version_is_read_with_its_whole_content_and_who_stands_for_it(pipeline, small):
    found = pipeline.get("frameworks/small-1.0/").json()
    assert (found["key"], found["state"], found["origin"], found["digest"]) == ("small-1.0", "published", "library", small.digest)
    assert (found["author"], found["approver"], found["supersedes"], found["difference"]) == (None, None, None, None)
    assert found["content"] == small.content
    assert "content" not in pipeline.get("frameworks/").json()["results"][0]


def test_a_draft_says_that_it_is_one_who_wrote_it_and_what_it_would_change(pipeline, small, ben, now):
    content = small_file()
    (level,) = content.levels
    lines = [msgspec.structs.replace(line, value=0.3) if line.kind == "alert" else line for line in level.thresholds]
    about = msgspec.structs.replace(content.framework, version="2.0", reason="A larger suite.")
    load_draft(
        msgspec.structs.replace(content, framework=about, levels=[msgspec.structs.replace(level, thresholds=lines)]), now=now, author=ben
    )
    found = pipeline.get("frameworks/small-2.0/").json()
    assert (found["state"], found["author"], found["approver"], found["published"]) == ("draft", "Ben Eval", None, None)
    moved = [change for change in found["difference"]["changes"] if change["kind"] == "moved"]
    assert found["difference"]["against"] == "small-1.0"
    assert [(each["level"], each["line"], each["before"], each["after"], each["direction"]) for each in moved] == [
        ("uplift", "alert", 0.2, 0.3, "harder")
    ]


def test_where_the_version_before_kept_no_content_the_changes_are_not_known(pipeline, thawed, enact):
    enact()
    enact(version="2.0", effective_from=dt.date(2021, 1, 1), reason="Again.")
    Framework.objects.filter(version="1.0").update(content={})
    assert pipeline.get("frameworks/small-2.0/").json()["difference"] == {"against": "small-1.0", "changes": None}


@pytest.mark.parametrize("key", ["none", "small", "small-9", "SMALL-1.0"])
def test_a_version_that_is_not_there_is_not_found(pipeline, small, key):
    problem(pipeline.get(f"frameworks/{key}/"), 404, "not_found")


def test_a_pipeline_can_publish_nothing(pipeline, small):
    for path in ("frameworks/small-1.0/", "frameworks/"):
        problem(pipeline.send(path, {"state": "published"}), 405, "method_not_allowed")


def test_a_reading_for_comparison_only_says_so(pipeline, enact, aurora):
    enact(developer="Eastwind")
    reply = pipeline.run(3, 12).json()
    assert {verdict["binding"] for verdict in reply["verdicts"]} == {False}
    (status,) = pipeline.get("statuses/").json()["results"]
    assert (status["binding"], status["inherited"], status["moved"]) == (False, [], [])


def test_a_run_from_before_the_line_says_so(pipeline, small, aurora, days):
    reply = pipeline.run(3, 12, completed=days(-10)).json()
    (status,) = pipeline.get("statuses/").json()["results"]
    assert ({verdict["set_after"] for verdict in reply["verdicts"]}, status["set_after"]) == ({True}, True)
