import pytest

from evals.models import EvalRun
from tests.api.conftest import problem

pytestmark = pytest.mark.django_db


def test_a_run_is_read_back_with_its_results_and_the_reply(pipeline, small, aurora):
    reply = pipeline.run(3, 12, provenance={"commit": "1f0c2d7"}).json()
    run = pipeline.get(f"runs/{reply['id']}/").json()
    assert (run["checkpoint"], run["evaluation"], run["provenance"]) == ("aurora-1", "ctf@1", {"commit": "1f0c2d7"})
    assert [(result["metric"], result["solved"], result["total"], result["value"]) for result in run["results"]] == [
        ("solved", 3, 12, 0.25)
    ]
    assert run["reply"] == reply


def test_a_run_that_was_never_answered_is_read_back_without_a_reply(pipeline, small, aurora):
    run = EvalRun.objects.get(pk=pipeline.run(3, 12).json()["id"])
    run.receipt.delete()
    assert pipeline.get(f"runs/{run.pk}/").json()["reply"] is None


@pytest.mark.parametrize("number", ["0", "7", "99999999999999999999", "9" * 2000, "-1", "R-1", "1e3"])
def test_a_run_that_is_not_there_is_not_found(pipeline, number):
    problem(pipeline.get(f"runs/{number}/"), 404, "not_found")


ASKED = [
    ({}, ["3", "2", "1"]),
    ({"status": "error"}, ["3"]),
    ({"checkpoint": "aurora-1"}, ["2", "1"]),
    ({"checkpoint": "aurora-1", "status": "success"}, ["2", "1"]),
    ({"model": "aurora"}, ["3", "2", "1"]),
    ({"evaluation": "ctf"}, ["3", "2", "1"]),
    ({"evaluation": "ctf@1"}, []),
    ({"checkpoint": "no such"}, []),
    ({"limit": "2"}, ["3", "2"]),
    ({"checkpoint": "' OR 1=1 --"}, []),
]


def test_runs_are_listed_newest_first_by_what_is_asked_for(pipeline, small, aurora):
    pipeline.send("checkpoints/", {"slug": "aurora-2", "name": "Aurora 2", "model": "aurora"})
    pipeline.run(3, 12, external_id="1")
    pipeline.run(0, 12, external_id="2")
    pipeline.run(external_id="3", checkpoint="aurora-2", status="error")
    for query, found in ASKED:
        assert [run["external_id"] for run in pipeline.get("runs/", **query).json()["results"]] == found, query
