"""What inspect_ai itself reads in its logs, against what the importers say of them."""

import json
from collections import Counter

import pytest

from evals.importers.inspect_log import Metric
from evals.importers.inspect_metrics import ERRORS, INTERVALS, name_of
from evals.submissions import is_complete, parse
from tests.evals.importers.conftest import EXPECTED, FIXTURES, SAMPLES, from_file

INCOMPLETE = {"lost", "error", "cancelled"}


def one(path, **options):
    (found,) = from_file(path, **options)
    return found


def test_identity_model_and_times_are_those_of_the_log(made):
    path, said = made
    found = one(path)
    assert (found["external_id"], found["checkpoint"]) == (said["eval_id"], said["model"])
    assert found["producer"] == {"name": "inspect_ai", "version": said["inspect_ai"]}
    assert found["status"] == {"started": "lost"}.get(said["status"], said["status"])
    assert found.get("completed") == (said["completed_at"] or None)
    assert found["evaluation"].partition("@")[0] == said["task"]


def test_the_plan_is_what_was_selected_times_epochs(made):
    path, said = made
    assert one(path)["coverage"]["planned"] == said["selected"] * said["epochs"] >= (said["total"] or 0)


def test_samples_are_counted_as_inspect_has_them(made):
    path, said = made
    cover, samples = one(path)["coverage"], said["samples"]
    if samples:
        assert cover["errored"] == sum(sample["error"] for sample in samples)
        assert cover["limit_hit"] == (0 if said["invalidated"] else sum(sample["limit"] and not sample["error"] for sample in samples))
        assert cover["completed"] == (len(samples) - cover["errored"] if said["completed"] is None else said["completed"])
    else:
        assert cover["completed"] == said["completed"]


def test_every_number_that_is_no_error_of_another_arrives_with_its_value(made):
    path, said = made
    items = [(item["metric"], item["value"]) for item in one(path)["measurements"] if item.get("value") is not None]
    numbers = Counter()
    for metric in said["metrics"]:
        told = Metric(**{part: metric[part] for part in ("name", "value", "group", "params")})
        if name_of(told).kind not in ERRORS and told.group not in INTERVALS:
            name = f"{metric['scorer']}/{metric['score']}/{metric['reducer'] or 'mean'}/{name_of(told).label}"
            numbers[name, told.value] += 1
    if path.name != "unscored.eval":
        assert Counter(items) == numbers
    assert len({name for name, _ in items}) == len(items)


def test_tasks_are_the_scores_of_the_samples(made):
    path, said = made
    for item in one(path)["measurements"]:
        scorer, score, reducer, _ = item["metric"].split("/")
        if "tasks" not in item or reducer != "mean" or not said["samples"]:
            continue
        values = [(sample["id"], value) for sample in said["samples"] if (value := value_of(sample, scorer, score)) is not None]
        assert {task["id"]: task["attempts"] for task in item["tasks"]} == Counter(name for name, _ in values)
        assert {task["id"]: task["solved"] for task in item["tasks"] if task["solved"]} == Counter(n for n, v in values if v in ("C", 1))


def value_of(sample, scorer, score):
    value = sample["scores"].get(scorer)
    value = value.get(score) if isinstance(value, dict) else value
    return None if value != value else value  # noqa: PLR0124 - NaN


def test_nothing_that_was_said_leaves_the_importer(made):
    assert "SECRET" not in json.dumps(one(made[0]))


def test_what_is_read_can_be_stored_and_is_complete_only_where_it_is(made):
    path, _ = made
    submission = parse(one(path, checkpoint="aurora", evaluation="puzzles@1"))
    assert is_complete(submission) == (path.name in {"simple.json", "no_samples.eval"})


def test_a_limited_run_says_how_few_it_selected():
    found = one(FIXTURES / "limited.eval")
    assert (found["provenance"]["selected_samples"], found["provenance"]["dataset_samples"]) == (2, 6)
    assert found["elicitation"]["sample_limit"] == 2
    assert found["coverage"]["planned"] == found["coverage"]["scored"]
    assert not is_complete(parse(found))


def test_a_rescored_log_is_the_same_run_with_other_content():
    first, second = (one(FIXTURES / name) for name in ("limited.eval", "rescored.eval"))
    assert first["external_id"] == second["external_id"]
    assert first["provenance"]["evidence_sha256"] != second["provenance"]["evidence_sha256"]
    assert len(second["measurements"]) > len(first["measurements"])


def test_a_recovered_log_plans_no_less_than_the_run_that_was_killed():
    killed, recovered = (one(FIXTURES / name) for name in ("killed.eval", "recovered.eval"))
    assert killed["external_id"] == recovered["external_id"]
    assert killed["coverage"]["planned"] == recovered["coverage"]["planned"] == 8
    assert EXPECTED["recovered.eval"]["total"] < 8


def test_credentials_are_cut_off():
    found = one(FIXTURES / "credentials.eval")["provenance"]
    assert found["revision_origin"] == "https://git.example.org/lab/evals.git"
    assert found["model_base_url_host"] == "api.example.org:8443"


@pytest.mark.skipif(not SAMPLES.is_dir(), reason="the shared sample logs are not here")
def test_the_shared_samples_are_read():
    logs = [*(SAMPLES / "inspect").glob("*.eval"), SAMPLES / "inspect/simple_success.json", *(SAMPLES / "inspect_real_eee").glob("*.json")]
    found = {path.name: one(path) for path in logs}
    assert len(found) == 21
    plans = {name.partition("_")[0]: each["coverage"]["planned"] for name, each in found.items()}
    assert (plans["cancelled"], plans["crashed"], plans["limit5"], plans["rescored"]) == (40, 40, 10, 10)
    complete = {name for name, each in found.items() if is_complete(parse(each))}
    assert "data_arc_sonnet.json" not in complete  # 5 of 2376 samples, all of them right, with a standard error of 0
    assert not any(name.startswith(("cancelled", "crashed", "ctl", "error", "success_with")) for name in complete)
