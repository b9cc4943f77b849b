import io
import json
from pathlib import Path

import pytest

from evals.importers import Options, Unreadable
from evals.importers.metr_runs import read, recognises
from evals.submissions import parse
from tests.evals.importers.conftest import FIXTURES, from_file
from thresholds import library

LIBRARY = Path(library.__file__).parent
FILE = FIXTURES.parent / "metr_runs/runs.jsonl"
ATTEMPTS = [json.loads(attempt) for attempt in FILE.read_text().splitlines()]


def runs(attempts, **options):
    raw = "\n".join(json.dumps(attempt) for attempt in attempts).encode()
    return [run for run in read("x.jsonl", io.BytesIO(raw), Options(**{"version": "1.1", **options})) if parse(run)]


def by_metric(run):
    return {item["metric"]: item for item in run["measurements"]}


def scored(score):
    return [{**attempt, "score_binarized": score} for attempt in ATTEMPTS[:-1]]


def test_the_attempts_of_a_model_become_its_horizons():
    (run,) = from_file(FILE, version="1.1")
    items = by_metric(run)
    p50, p80 = items["p50_horizon_minutes"], items["p80_horizon_minutes"]
    assert (run["checkpoint"], run["evaluation"], p50["n_tasks"]) == ("Aurora 2", "metr-time-horizon-p50@1.1", 12)
    assert {**items["value"], "metric": "p50_horizon_minutes"} == p50
    assert 0 < p80["value"] < p50["value"]
    assert 0 < p50["ci_low"] < p50["value"] < p50["ci_high"]


def test_the_attempts_at_each_task_are_kept_with_their_family():
    tasks = by_metric(from_file(FILE, version="1.1")[0])["success_rate"]["tasks"]
    assert {task["attempts"] for task in tasks} == {4}
    assert {task["family"] for task in tasks} == {f"family{n}" for n in range(6)}


def test_an_attempt_without_a_score_is_unscored_and_humans_are_left_out():
    (run,) = from_file(FILE, version="1.1")
    assert run["coverage"] == {"planned": 49, "completed": 49, "scored": 48, "unscored": 1}


def test_the_files_digest_and_the_model_are_its_identity():
    (run,) = from_file(FILE, version="1.1")
    assert run["external_id"] == f"{run['provenance']['evidence_sha256']}/Aurora 2"


def test_times_are_read_as_milliseconds():
    (run,) = from_file(FILE, version="1.1")
    assert (run["started"], run["completed"]) == ("2026-09-21T14:13:20+00:00", "2026-09-21T14:14:23+00:00")


def test_where_nothing_or_everything_was_solved_there_is_no_horizon():
    for score, reason in ((0, "no attempt succeeded"), (1, "does not fall")):
        items = by_metric(runs(scored(score))[0])
        assert items["p50_horizon_minutes"]["value"] is None
        assert reason in items["p50_horizon_minutes"]["reason"]


def test_a_model_without_any_score_is_unscored():
    assert runs(scored(None))[0]["measurements"][0] == {"metric": "value", "value": None, "reason": "unscored"}


def test_fractional_scores_give_horizons_but_no_attempts_solved():
    items = by_metric(runs([{**ATTEMPTS[0], "score_binarized": 0.9}, *ATTEMPTS[4:-2]])[0])
    assert items["p50_horizon_minutes"]["value"] > 0
    assert "success_rate" not in items


def test_two_models_are_two_runs_and_one_name_for_both_is_refused():
    both = [{**attempt, "alias": alias} for alias in ("a", "b") for attempt in ATTEMPTS[:8]]
    assert [run["checkpoint"] for run in runs(both)] == ["a", "b"]
    with pytest.raises(Unreadable, match="2 checkpoints"):
        runs(both, checkpoint="aurora-2")


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"human_minutes": 0}, "line 1: .*human_minutes"),
        ({"alias": ""}, "line 1: It has no alias"),
        ({"task_id": None}, "line 1: It has no task_id"),
        ({"score_binarized": 2}, "line 1: .*0 to 1"),
        ({"human_minutes": 7}, "line 2: .*than above"),
        ({"alias": "human"}, "no attempt of a model"),
    ],
)
def test_what_is_wrong_is_refused_with_its_line(more, why):
    attempts = [{**ATTEMPTS[0], **more}, *([ATTEMPTS[1]] if "alias" not in more else [])]
    with pytest.raises(Unreadable, match=why):
        runs(attempts)


def test_only_attempts_are_recognised():
    assert recognises("x", FILE.read_bytes())
    assert not recognises("x", b'{"task_family": 1}\n{"score_binarized": 1, "human_minutes": 2}')


def test_a_file_whose_version_nobody_says_is_refused():
    with pytest.raises(Unreadable, match=r"--version.*metr-time-horizon-p50@1\.1"):
        from_file(FILE)
    assert from_file(FILE, evaluation="horizons@3")[0]["evaluation"] == "horizons@3"


def test_the_measurement_fits_the_lines_of_the_library():
    for version in ("1", "1.1"):
        (evaluation,) = (each for each in library.read_file(LIBRARY / f"metr-horizon-{version}.yaml").evaluations if "p50" in each.slug)
        (run,) = from_file(FILE, version=version)
        assert run["evaluation"] == f"{evaluation.slug}@{evaluation.version}"
        assert by_metric(run)[evaluation.metric]["value"] > 0
