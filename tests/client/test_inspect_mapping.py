from evals.submissions import is_complete, parse
from fsf_client.inspect.covering import planned
from fsf_client.inspect.mapping import Known, evaluation_of, finished, started
from fsf_client.inspect.measuring import measurements
from fsf_client.inspect.solving import Line

SPEC = {
    "eval_id": "e1",
    "run_id": "r1",
    "task_id": "t1",
    "task": "inspect_evals/sums",
    "task_version": "2-B",
    "model": "fsfdemo/adept",
    "created": "2026-11-22T09:00:00+00:00",
    "dataset": {"samples": 2, "sample_ids": ["a", "b"]},
    "config": {"epochs": 2, "limit": 2},
    "packages": {"inspect_ai": "0.3.285"},
    "scorers": [
        {"name": "match", "metrics": [{"name": "inspect_ai/accuracy", "options": {}}, {"name": "inspect_ai/stderr", "options": {}}]}
    ],
}
LINES = [Line(name, epoch, {"match": value}) for name, epoch, value in (("a", 1, "C"), ("a", 2, "I"), ("b", 1, "C"), ("b", 2, "C"))]


def header(status="success", value=0.75, **more):
    metrics = {"accuracy": {"name": "accuracy", "value": value}, "stderr": {"name": "stderr", "value": 0.25}}
    scores = [{"name": "match", "scorer": "match", "scored_samples": 2, "metrics": metrics}]
    return {"status": status, "eval": SPEC, "results": {"total_samples": 4, "completed_samples": 4, "scores": scores}, **more}


def test_a_start_names_run_checkpoint_evaluation_and_plan():
    body = started(SPEC, Known())
    assert (body["external_id"], body["checkpoint"], body["evaluation"], body["coverage"]) == (
        "e1",
        "fsfdemo/adept",
        "sums@2",
        {"planned": 4},
    )
    assert parse(body).status == "started"


def test_a_good_end_is_a_complete_submission():
    body = finished(header(), LINES, Known("aurora-1", "puzzles@1", "Ben"))
    submission = parse(body)
    assert (body["checkpoint"], body["evaluation"], body["elicitation"]["attested_by"]) == ("aurora-1", "puzzles@1", "Ben")
    assert is_complete(submission)
    (item,) = submission.measurements
    assert (item.metric, item.value, item.stderr) == ("match/match/mean/accuracy", 0.75, 0.25)
    assert [(task.id, task.solved, task.attempts) for task in item.tasks] == [("a", 1, 2), ("b", 2, 2)]


def test_a_success_with_a_failed_a_limited_and_an_unscored_sample_is_not_complete():
    odd = [Line("a", 1, failed=True), Line("a", 2, {"match": "C"}, limited=True), Line("b", 1, {"match": float("nan")}), LINES[3]]
    body = finished(header(value=1.0), odd, Known())
    assert body["coverage"] == {"planned": 4, "completed": 3, "scored": 2, "errored": 1, "limit_hit": 1, "unscored": 1}
    assert not is_complete(parse(body))


def test_a_cancelled_run_without_results_gives_what_its_samples_gave():
    body = finished({"status": "cancelled", "eval": SPEC}, LINES[:1], Known())
    assert body["measurements"] == [{"metric": "match/match/mean/accuracy", "tasks": [{"id": "a", "solved": 1, "attempts": 1}]}]
    assert (body["status"], body["coverage"]["planned"], body["coverage"]["scored"]) == ("cancelled", 4, 1)
    assert "started" not in body  # the log may yet say it, and must not seem to differ
    parse(body)


def test_a_success_without_any_score_is_no_success():
    body = finished({"status": "success", "eval": {**SPEC, "scorers": []}, "results": {"scores": []}}, [Line("a", 1)], Known())
    assert (body["status"], body["provenance"]["no_score"]) == ("error", True)
    parse(body)


def test_tasks_go_only_where_they_give_the_reported_value():
    (item,) = measurements(header(value=0.5), LINES)
    assert ("tasks" in item, item["n_tasks"]) == (False, 2)


def test_a_value_over_nothing_is_unscored():
    content = header()
    content["results"]["scores"][0] |= {"scored_samples": 0}
    assert measurements(content, []) == [{"metric": "match/match/mean/accuracy", "value": None, "reason": "unscored"}]


def test_the_plan_follows_limits_and_epochs():
    assert planned({"dataset": {"samples": 40}, "config": {"limit": [10, 15], "epochs": 3}}) == 15
    assert planned({"dataset": {"samples": 4}, "config": {"limit": 10}}) == 4
    assert planned({}) is None


def test_the_comparability_version_is_the_evaluations_version():
    assert evaluation_of({"task": "a/b c", "task_version": 3}) == "b-c@3"
    assert evaluation_of({"task": "x", "task_version": "5-B", "metadata": {"task_comparability_version": 6}}) == "x@6"
