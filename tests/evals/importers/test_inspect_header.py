import json

import pytest

from evals.importers import Unreadable
from evals.submissions import parse
from tests.evals.importers.conftest import FIXTURES, HEADER, LINES, changed, eval_log, from_file, imported

SECRETS = {
    "model_base_url": "https://ben:SECRET@api.example.org/SECRET/v1?key=SECRET",
    "revision": {"type": "git", "origin": "https://ben:SECRET@git.example.org/lab/evals.git?x=SECRET", "commit": "abc1234", "dirty": True},
    "task_args": {"api_key": "SECRET"},
    "task_file": "/srv/SECRET/task.py",
    "model_args": {"token": "SECRET"},
    "metadata": {"note": "SECRET", "task_comparability_version": 7},
    "model_generate_config": {"system_message": "SECRET", "temperature": 0, "extra_headers": {"auth": "SECRET"}, "stop_seqs": ["SECRET"]},
    "sandbox": {"type": "docker", "config": "SECRET.yaml"},
    "model_roles": {"grader": {"model": "lab/grader", "base_url": "SECRET"}},
}
PLAN = {
    "steps": [
        {"solver": "system_message", "params": {"template": "SECRET"}},
        {"solver": "react", "params": {"tools": [{"type": "tool", "name": "bash", "params": {"user": "SECRET"}}], "prompt": "SECRET"}},
    ],
    "config": {"max_tokens": 100, "system_message": "SECRET"},
}
TOLD = [{**each, "input": "SECRET", "target": "SECRET", "metadata": {"x": "SECRET"}, "error": None} for each in LINES]


def of(**parts):
    return imported(eval_log(changed(**parts)))


def test_a_run_is_known_by_its_eval_id_and_its_producer():
    found = imported(eval_log())
    assert (found["external_id"], found["producer"]) == ("e1", {"name": "inspect_ai", "version": "0.3.285"})
    assert (found["started"], found["completed"]) == ("2026-11-22T09:00:00+00:00", "2026-11-22T09:05:00+00:00")


def test_a_log_from_before_eval_ids_is_known_by_what_stands_for_one():
    one, other = (of(eval={"eval_id": "", "created": created})["external_id"] for created in ("1", "2"))
    assert len(one) == len(other) == 64
    assert one != other
    with pytest.raises(Unreadable, match="no identity"):
        of(eval={"eval_id": "", "run_id": "", "task_id": ""})


@pytest.mark.parametrize(
    ("spec", "evaluation"),
    [
        ({"task": "inspect_evals/gdm_x", "task_version": 2}, "gdm_x@2"),
        ({"task": "gdm_x", "task_version": "4-C"}, "gdm_x@4"),
        ({"task": "gdm_x", "task_version": 2, "metadata": {"task_comparability_version": 5}}, "gdm_x@5"),
        ({"task": "A task: number 1", "task_version": 0}, "A-task-number-1@0"),
    ],
)
def test_the_evaluation_is_the_task_at_its_comparability_version(spec, evaluation):
    assert of(eval=spec)["evaluation"] == evaluation


def test_a_log_that_names_no_task_needs_to_be_told():
    with pytest.raises(Unreadable, match="--evaluation"):
        of(eval={"task": "///"})


def test_the_checkpoint_is_the_model_of_the_log_unless_it_is_named():
    assert imported(eval_log())["checkpoint"] == "lab/aurora"
    named = imported(eval_log(), checkpoint="aurora-2", evaluation="puzzles@9")
    assert (named["checkpoint"], named["evaluation"]) == ("aurora-2", "puzzles@9")


@pytest.mark.parametrize("status", ["success", "error", "cancelled"])
def test_the_status_of_a_finished_log_is_its_own(status):
    assert of(status=status)["status"] == status


def test_an_unfinished_log_is_lost_unless_it_is_still_written():
    for raw in (eval_log(None), eval_log({**HEADER, "status": "started"})):
        assert imported(raw)["status"] == "lost"
        assert imported(raw, running=True)["status"] == "started"


def test_a_successful_run_without_a_score_has_to_be_scored_first():
    with pytest.raises(Unreadable, match="inspect score"):
        imported(eval_log(changed(results=None), [{"id": "a"}]))


def test_what_is_confidential_stays_behind():
    raw = eval_log({**changed(eval=SECRETS), "plan": PLAN, "error": {"message": "SECRET"}, "metadata": {"x": "SECRET"}}, TOLD)
    found = imported(raw)
    assert "SECRET" not in json.dumps(found)
    assert found["provenance"]["revision_origin"] == "https://git.example.org/lab/evals.git"
    assert found["provenance"]["model_base_url_host"] == "api.example.org"
    assert found["provenance"]["revision_dirty"] is True


def test_elicitation_says_how_the_model_was_asked():
    config = {"epochs": 3, "epochs_reducer": ["mean"], "message_limit": 50, "token_limit": 1000, "limit": [0, 3]}
    found = imported(eval_log({**changed(eval={**SECRETS, "config": config}), "plan": PLAN}))["elicitation"]
    digests = {name: found.pop(name) for name in ("solvers_sha256", "task_args_sha256")}
    assert found == {
        "solvers": ["system_message", "react"],
        "tools": ["bash"],
        "sandbox": "docker",
        "epochs": 3,
        "reducers": ["mean"],
        "message_limit": 50,
        "token_limit": 1000,
        "sample_limit": [0, 3],
        "model_roles": ["grader=lab/grader"],
        "max_tokens": 100,
        "temperature": 0,
    }
    assert all(len(digest) == 64 for digest in digests.values())


def test_another_prompt_is_another_elicitation():
    other = {"steps": [{**PLAN["steps"][0], "params": {"template": "OTHER"}}, PLAN["steps"][1]]}
    one, two = (imported(eval_log({**HEADER, "plan": plan}))["elicitation"]["solvers_sha256"] for plan in (PLAN, other))
    assert one != two


@pytest.mark.parametrize(
    ("metadata", "named"),
    [({"attested_by": " Ben "}, "Ben"), ({"attested_by": " "}, None), ({"attested_by": True}, None), ({}, None), (None, None)],
)
def test_who_attests_the_elicitation_is_named_in_the_metadata_of_the_evaluation_and_nowhere_else(metadata, named):
    found = of(eval={"metadata": metadata, "task_args": {"attested_by": "me"}}, metadata={"attested_by": "me"})
    assert found["elicitation"].get("attested_by") == named


def test_the_log_says_when_it_was_written():
    assert "log_written" not in of()["provenance"]
    assert from_file(FIXTURES / "limited.eval")[0]["provenance"]["log_written"] == "2026-11-22T17:39:28"


def test_provenance_tells_of_edits_and_of_mid_run_changes():
    found = imported(eval_log({**HEADER, "log_updates": [{"edits": []}], "config_updates": [{}, {}]}))["provenance"]
    assert (found["log_edits"], found["config_updates"]) == (1, 2)


@pytest.mark.parametrize(("version", "warned"), [("0.3.220", True), ("0.3.221", False), ("", False), ("0.3.138.dev45+g23", True)])
def test_an_inflated_pass_at_k_is_warned_of(version, warned):
    found = of(eval={"packages": {"inspect_ai": version}, "config": {"epochs_reducer": ["pass_at_2"]}})
    assert bool(found["provenance"].get("warnings")) == warned


def test_usage_is_summed_over_models():
    usage = {"a/1": {"total_tokens": 5, "total_cost": 0.5}, "b/2": {"total_tokens": 7}}
    found = imported(eval_log({**HEADER, "stats": {"model_usage": usage}}))
    assert (found["provenance"]["total_tokens"], found["provenance"]["cost_usd"]) == (12, 0.5)
    assert found["started"] == "2026-11-22T09:00:00+00:00"
    assert "completed" not in found


@pytest.mark.parametrize(
    ("header", "where"),
    [
        ({**HEADER, "version": 3}, "version 3"),
        ({**HEADER, "eval": {"model": "x"}}, "task"),
        (changed(eval={"config": {"epochs": 0}}), r"\$\.eval\.config\.epochs"),
        (changed(eval={"dataset": {"sample_ids": [1.5]}}), r"\$\.eval\.dataset\.sample_ids"),
        (changed(results={"total_samples": -1}), "total_samples"),
        ({**HEADER, "status": None}, "status"),
    ],
)
def test_what_inspect_does_not_write_is_refused_with_its_place(header, where):
    with pytest.raises(Unreadable, match=f"header.json: .*{where}"):
        imported(eval_log(header))


def test_what_is_read_can_be_stored():
    assert parse(imported(eval_log())).status == "success"
