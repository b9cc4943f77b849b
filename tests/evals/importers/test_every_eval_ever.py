import io
import json

import pytest

from evals.importers import Options, Unreadable
from evals.importers.every_eval_ever import read, recognises
from evals.submissions import parse
from tests.evals.importers.conftest import FIXTURES, SAMPLES, from_file

FILE = FIXTURES.parent / "every_eval_ever/aggregate.json"
AGGREGATE = json.loads(FILE.read_text())


def runs(content, **options):
    found = list(read("a.json", io.BytesIO(json.dumps(content).encode()), Options(**options)))
    return {parse(run).evaluation: run for run in found}


@pytest.fixture
def found():
    return {run["evaluation"]: run for run in from_file(FILE)}


def test_each_evaluation_is_a_run(found):
    assert {name: run["external_id"] for name, run in found.items()} == {
        "puzzles": "lab/aurora-2/1790000000/puzzles",
        "expert-review": "lab/aurora-2/1790000000/expert review",
    }


def test_a_score_comes_with_its_own_uncertainty(found):
    accuracy, refusals = found["puzzles"]["measurements"]
    assert accuracy == {
        "metric": "accuracy",
        "value": 0.75,
        "stderr": 0.05,
        "n_tasks": 76,
        "ci_low": 0.65,
        "ci_high": 0.85,
        "ci_level": 0.9,
        "direction": "higher",
    }
    assert refusals == {"metric": "refusals", "value": 0.1, "direction": "lower"}


def test_the_unknown_level_is_no_score(found):
    assert found["expert-review"]["measurements"] == [{"metric": "score", "value": None, "reason": "unscored", "direction": "higher"}]


def test_a_direction_that_is_not_said_is_not_handed_on():
    results = [{**result, "metric_config": {}} for result in AGGREGATE["evaluation_results"]]
    found = runs({**AGGREGATE, "evaluation_results": results})
    assert [item for run in found.values() for item in run["measurements"] if "direction" in item] == []


def test_the_direction_unit_and_range_are_kept(found):
    said = found["puzzles"]["provenance"]
    assert (said["higher_is_better"], said["lower_is_better"]) == (["accuracy"], ["refusals"])
    assert said["units"] == ["accuracy: proportion"]


@pytest.mark.parametrize(("said", "read_as"), [("first_party", "first_party"), ("third_party", "third_party"), ("collaborative", None)])
def test_who_evaluated_is_taken_over_where_it_can_be_said(said, read_as):
    run = runs({**AGGREGATE, "source_metadata": {"evaluator_relationship": said}})["puzzles"]
    assert run.get("relationship") == read_as
    assert run["provenance"]["evaluator_relationship"] == said


def test_it_ran_when_it_was_evaluated_not_when_it_was_retrieved(found):
    assert found["puzzles"]["completed"] == "2026-09-21T14:13:20+00:00"
    without = {name: part for name, part in AGGREGATE.items() if name != "evaluation_timestamp"}
    assert "completed" not in runs(without)["puzzles"]


def test_two_results_of_one_metric_are_numbered():
    first = AGGREGATE["evaluation_results"][0]
    run = runs({**AGGREGATE, "evaluation_results": [first, first]})["puzzles"]
    assert [item["metric"] for item in run["measurements"]] == ["accuracy", "accuracy#2"]


@pytest.mark.parametrize(
    ("more", "options", "why"),
    [
        ({"schema_version": "1.0.0"}, {}, "schema_version is 1.0.0"),
        ({"evaluation_id": ""}, {}, "no evaluation_id"),
        ({"evaluation_results": []}, {}, "no result"),
        ({"evaluation_results": [{}]}, {}, r"evaluation_results\[0\].evaluation_name"),
        ({"model_info": {}}, {}, "--checkpoint"),
        ({}, {"evaluation": "x@1"}, "2 evaluations"),
    ],
)
def test_what_is_no_aggregate_is_refused_with_the_reason(more, options, why):
    with pytest.raises(Unreadable, match=why):
        runs({**AGGREGATE, **more}, **options)


def test_only_aggregates_are_recognised():
    assert recognises("x", FILE.read_bytes())
    assert not recognises("x", b'{"schema_version": "0.3.0", "evaluation_id": "x", "sample_id": "1"}')


@pytest.mark.skipif(not SAMPLES.exists(), reason="no sample files here")
def test_the_sample_files_are_read():
    found = [run for path in sorted((SAMPLES / "eee").glob("aggregate_*.json")) for run in from_file(path)]
    assert {run["relationship"] for run in found} == {"third_party"}
    assert found[-1]["measurements"] == [{"metric": "accuracy", "value": 0.75, "direction": "higher"}]
