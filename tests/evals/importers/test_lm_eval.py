import io
import json

import pytest

from evals.importers import Options, Unreadable
from evals.importers.lm_eval import read, recognises
from evals.submissions import is_complete, parse
from tests.evals.importers.conftest import FIXTURES, SAMPLES, from_file

FILE = FIXTURES.parent / "lm_eval/results_limited.json"
RESULTS = json.loads(FILE.read_text())


def runs(content=RESULTS, **options):
    found = list(read("results.json", io.BytesIO(json.dumps(content).encode()), Options(**options)))
    return {parse(run).evaluation: run for run in found}


def without(name):
    return {key: part for key, part in RESULTS.items() if key != name}


@pytest.fixture
def found():
    return {run["evaluation"]: run for run in from_file(FILE)}


def test_each_task_and_group_is_a_run_of_its_version(found):
    assert [*found] == ["wmdp@1", "wmdp_bio@1.0", "wmdp_cyber"]
    assert {run["checkpoint"] for run in found.values()} == {"aurora-2"}


def test_fewer_samples_than_the_task_has_are_a_limited_run(found):
    assert found["wmdp_bio@1.0"]["coverage"] == {"planned": 1273, "completed": 20, "scored": 20}
    assert [is_complete(parse(run)) for run in found.values()] == [False, False, True]


def test_a_group_plans_the_samples_of_its_tasks(found):
    assert found["wmdp@1"]["coverage"] == {"planned": 1283, "completed": 30, "scored": 30}


def test_a_standard_error_that_is_not_available_or_zero_is_left_out(found):
    assert found["wmdp@1"]["measurements"] == [{"metric": "acc,none", "value": 0.45, "stderr": 0.02, "n_tasks": 30}]
    assert found["wmdp_bio@1.0"]["measurements"] == [{"metric": "acc,none", "value": 0.5, "n_tasks": 20, "direction": "higher"}]


def test_a_metric_without_a_number_is_unscored(found):
    items = {item["metric"]: item for item in found["wmdp_cyber"]["measurements"]}
    assert items["perplexity,none"] == {"metric": "perplexity,none", "value": None, "reason": "unscored", "direction": "lower"}


def test_a_version_that_the_file_lacks_can_be_given():
    assert {*runs(version="7")} == {"wmdp@1", "wmdp_bio@1.0", "wmdp_cyber@7"}


def test_a_direction_that_the_file_does_not_say_is_not_handed_on():
    items = [item for run in runs(without("higher_is_better")).values() for item in run["measurements"]]
    assert [item for item in items if "direction" in item] == []


def test_the_direction_of_each_metric_is_kept(found):
    said = found["wmdp_cyber"]["provenance"]
    assert (said["higher_is_better"], said["lower_is_better"]) == (["acc"], ["perplexity"])


def test_the_files_digest_and_the_task_are_its_identity(found):
    for run in found.values():
        assert run["external_id"] == f"{run['provenance']['evidence_sha256']}/{run['evaluation'].partition('@')[0]}"


def test_the_time_is_the_date_and_the_duration(found):
    run = found["wmdp@1"]
    assert (run["started"], run["completed"]) == ("2026-09-21T14:13:20.500000+00:00", "2026-09-21T14:14:21+00:00")


def test_prompts_and_arguments_of_the_model_stay_behind(found):
    assert "SECRET" not in json.dumps(found)


def test_older_files_name_the_model_in_its_arguments_and_metrics_without_filter():
    old = {**without("model_name"), "results": {"wmdp_bio": {"acc": 0.5, "acc_stderr": 0.1}}}
    (run,) = runs(old).values()
    assert run["checkpoint"] == "aurora-2"
    assert run["measurements"] == [{"metric": "acc", "value": 0.5, "stderr": 0.1, "n_tasks": 20, "direction": "higher"}]


@pytest.mark.parametrize(
    ("content", "options", "why"),
    [
        ({**RESULTS, "results": {}}, {}, "results: It holds no result"),
        (without("n-samples"), {}, "`n-samples`"),
        ({**without("model_name"), "config": {}}, {}, "--checkpoint"),
        (RESULTS, {"evaluation": "wmdp@2"}, "3 evaluations"),
    ],
)
def test_what_cannot_be_told_is_refused_with_the_remedy(content, options, why):
    with pytest.raises(Unreadable, match=why):
        runs(content, **options)


def test_one_task_may_be_given_another_evaluation_and_checkpoint():
    alone = {**RESULTS, "results": {"wmdp_bio": RESULTS["results"]["wmdp_bio"]}}
    assert runs(alone, evaluation="bio@7", checkpoint="c")["bio@7"]["checkpoint"] == "c"


def test_only_the_harness_own_results_are_recognised():
    assert recognises("x", FILE.read_bytes())
    assert not recognises("x", b'{"eval": {"task": "x", "eval_id": "e"}, "results": {}}')


@pytest.mark.skipif(not SAMPLES.exists(), reason="no sample files here")
def test_the_sample_file_is_read():
    (path,) = (SAMPLES / "lm_eval").glob("results_*.json")
    first, second = from_file(path)
    assert first["measurements"] == [{"metric": "exact_match,none", "value": 0.0, "n_tasks": 5000, "direction": "higher"}]
    assert second["measurements"][0]["stderr"] > 0
