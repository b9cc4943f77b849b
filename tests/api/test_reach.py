import pytest

from accounts.roles import SYSTEM, Reach
from accounts.tokens import Grant, issue_grant
from evals.catalogue import register_checkpoint
from evals.models import Checkpoint, FrontierModel
from tests.api.conftest import nothing_stored, problem
from tests.conftest import run_body

pytestmark = pytest.mark.django_db
LISTS = {
    "runs/": lambda row: row["checkpoint"],
    "models/": lambda row: row["slug"],
    "checkpoints/": lambda row: row["slug"],
    "evaluations/": lambda row: row["slug"],
    "statuses/": lambda row: row["checkpoint"],
    "assessments/": lambda row: row["checkpoint"],
    "coverage/": lambda row: row["checkpoint"],
    "crises/": lambda row: row["model"],
}

STATED = {"status": "below", "stated": "2026-01-01", "source": "a page"}


@pytest.fixture
def restricted(grow, pipeline_with, now):
    """Two labs with a model, an evaluation, a run and a crisis each; comes with a token that is restricted to some of that."""
    grow(1)
    grow(2)

    def restricted(models=(), evaluations=()):
        pipeline = pipeline_with()
        grant = Grant(
            frozenset(pipeline.token.scopes), f"{pipeline.token.purpose}, restricted", Reach(frozenset(models), frozenset(evaluations))
        )
        pipeline.token, pipeline.text = issue_grant(owner=pipeline.account, grant=grant, now=now)
        return pipeline

    return restricted


def shown(pipeline, path):
    return {LISTS[path](row) for row in pipeline.get(path).json()["results"]}


ALL = {
    "runs/": {"model-1-1", "model-2-1"},
    "models/": {"model-1", "model-2"},
    "checkpoints/": {"model-1-1", "model-2-1"},
    "evaluations/": {"ctf-1", "ctf-2"},
    "statuses/": {"model-1-1", "model-2-1"},
    "assessments/": {"model-1-1", "model-2-1"},
    "coverage/": {"model-1-1", "model-2-1"},
    "crises/": {"model-1", "model-2"},
}


@pytest.mark.parametrize("path", LISTS)
def test_a_token_without_restriction_sees_everything(restricted, path):
    assert shown(restricted(), path) == ALL[path]


@pytest.mark.parametrize("path", LISTS)
def test_a_token_of_one_model_sees_that_model(restricted, path):
    expected = ALL[path] if path == "evaluations/" else {name for name in ALL[path] if "-1" in name[:7]}
    assert shown(restricted(models=["model-1"]), path) == expected


@pytest.mark.parametrize("path", LISTS)
def test_a_token_of_one_evaluation_sees_what_that_evaluation_said(restricted, path):
    everywhere = path in {"models/", "checkpoints/"}
    expected = ALL[path] if everywhere else {name for name in ALL[path] if name.startswith(("model-2", "ctf-2"))}
    assert shown(restricted(evaluations=["ctf-2"]), path) == expected


@pytest.mark.parametrize("path", sorted(LISTS.keys() - {"evaluations/", "models/", "checkpoints/"}))
def test_a_token_of_one_model_and_of_the_others_evaluation_sees_nothing(restricted, path):
    assert shown(restricted(["model-1"], ["ctf-2"]), path) == set()


@pytest.mark.parametrize("kind", ["runs", "crises", "assessments"])
def test_single_rows_out_of_reach_are_not_there(restricted, kind):
    everything, one = restricted(), restricted(models=["model-1"])
    pks = [row["id"] for row in everything.get(f"{kind}/").json()["results"]]
    statuses = [one.get(f"{kind}/{pk}/").status_code for pk in pks]
    assert sorted(statuses) == [200, 404]


def test_a_checkpoint_and_an_evaluation_out_of_reach_are_not_there(restricted):
    pipeline = restricted(["model-1"], ["ctf-1"])
    found = [pipeline.get(path).status_code for path in ("checkpoints/model-1-1/", "evaluations/ctf-1@1/")]
    hidden = [pipeline.get(path).status_code for path in ("checkpoints/model-2-1/", "evaluations/ctf-2@1/")]
    assert (found, hidden) == ([200, 200], [404, 404])


@pytest.mark.parametrize("reach", [{"models": ["model-1"]}, {"evaluations": ["ctf-1"]}])
def test_what_is_drawn_from_everything_is_not_for_a_restricted_token(restricted, reach):
    everything, pipeline = restricted(), restricted(**reach)
    for path in ("forecasts/", "frameworks/lab-1-1.0/backtest/"):
        assert everything.get(path).status_code == 200
        assert "drawn from every model" in problem(pipeline.get(path), 403, "not_allowed")["detail"]
    problem(pipeline.send("frameworks/backtest/", {"content": "x"}), 403, "not_allowed")


def test_the_gate_answers_for_the_tokens_models_only(restricted):
    pipeline = restricted(models=["model-1"])
    for checkpoint, status in (("model-1-1", 200), ("model-2-1", 403)):
        assert pipeline.get("gate/", checkpoint=checkpoint, stage="external").status_code == status
    with nothing_stored():
        problem(pipeline.send("gate/", {"checkpoint": "model-2-1", "stage": "external"}), 403, "not_allowed")


def test_the_gate_says_the_whole_of_a_checkpoint_whatever_the_evaluations_of_the_token(restricted):
    whole, part = (restricted(evaluations=names).get("gate/", checkpoint="model-1-1", stage="external").json() for names in ([], ["ctf-2"]))
    assert (part["verdict"], part["reasons"]) == (whole["verdict"], whole["reasons"])


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("models/", {"slug": "model-3", "name": "Model 3", "developer": "Lab 3"}),
        ("checkpoints/", {"model": "model-2", "slug": "model-2-2", "name": "Model 2"}),
        (
            "determinations/",
            {"checkpoint": "model-2-1", "level": "lab-2-1.0.uplift", "status": "below", "stated": "2026-01-01", "source": "x"},
        ),
    ],
)
def test_nothing_is_registered_or_stated_out_of_reach(restricted, path, body):
    pipeline = restricted(models=["model-1"])
    with nothing_stored():
        assert "does not reach" in problem(pipeline.send(path, body), 403, "not_allowed")["detail"]


@pytest.mark.parametrize(
    ("checkpoint", "evaluation", "status"),
    [("model-1-1", "ctf-1@1", 201), ("model-2-1", "ctf-1@1", 403), ("model-1-1", "ctf-2@1", 403), ("model-1-1", "ctf-1", 201)],
)
def test_results_are_posted_within_reach_only(restricted, checkpoint, evaluation, status):
    pipeline = restricted(["model-1"], ["ctf-1"])
    body = run_body(3, 12, external_id="new", checkpoint=checkpoint, evaluation=evaluation)
    assert pipeline.send("runs/", body).status_code == status


def test_a_stored_run_out_of_reach_is_neither_replayed_nor_told_of(restricted):
    body = run_body(3, 12, external_id="theirs", checkpoint="model-2-1", evaluation="ctf-2@1")
    assert restricted().send("runs/", body).status_code == 201
    other = {**body, "measurements": [{"metric": "solved", "solved": 1, "total": 12}]}
    ours = {**body, "checkpoint": "model-1-1", "evaluation": "ctf-1@1"}  # under the identity of theirs
    for again in (body, other, ours):
        problem(restricted(models=["model-1"]).send("runs/", again), 403, "not_allowed")


def test_a_refusal_names_nothing_that_was_not_named_in_the_request(restricted):
    run = run_body(external_id="theirs", status="started", checkpoint="model-2-1", evaluation="ctf-2@1")
    stored = restricted().send("runs/", run).json()["id"]
    ours = {**run, "checkpoint": "model-1-1", "evaluation": "ctf-1@1"}
    by_number = [(f"runs/{stored}/heartbeat/", {}), (f"runs/{stored}/finish/", {})]
    for reach in ({"models": ["model-1"]}, {"evaluations": ["ctf-1"]}):
        pipeline = restricted(**reach)
        for path, body in [*by_number, ("runs/", ours), ("runs/batch/", [ours]), ("imports/", ours)]:
            said = pipeline.send(path, body).content.decode()
            assert "does not reach" in said
            assert not [name for name in ("model-2", "ctf-2") if name in said]


def test_a_post_is_not_told_whose_checkpoint_it_named(restricted):
    body = run_body(3, 12, external_id="new", checkpoint="model-2-1", evaluation="ctf-2@1")
    said = problem(restricted(models=["model-1"]).send("runs/", body), 403, "not_allowed")["detail"]
    assert "model-2" not in said.replace("model-2-1", "")


@pytest.fixture
def child(restricted, now):
    """A checkpoint of the first model that was made from one of the second."""
    model, parent = FrontierModel.objects.get(slug="model-1"), Checkpoint.objects.get(slug="model-2-1")
    return register_checkpoint(model=model, fields={"slug": "child", "name": "Child", "parent": parent}, actor=SYSTEM, now=now)


def test_a_parent_out_of_reach_is_not_named_and_nothing_is_found_under_it(restricted, child):
    parents = [(restricted(models=models), parent) for models, parent in (([], "model-2-1"), (["model-1"], None))]
    for pipeline, parent in parents:
        assert pipeline.get("checkpoints/child/").json()["parent"] == parent
        assert [row["parent"] for row in pipeline.get("checkpoints/").json()["results"] if row["slug"] == "child"] == [parent]
        assert len(pipeline.get("checkpoints/", parent="model-2-1").json()["results"]) == (1 if parent else 0)


@pytest.mark.parametrize("about", [{"slug": "model-2-1"}, {"slug": "new", "parent": "model-2-1"}])
def test_nothing_is_learnt_of_a_checkpoint_out_of_reach_by_registering(restricted, about):
    body = {"model": "model-1", "name": "Guess", "effective_compute": 1e26, **about}
    pipeline = restricted(models=["model-1"])
    with nothing_stored():
        said = problem(pipeline.send("checkpoints/", body), 403, "not_allowed")["detail"]
    assert "does not reach the checkpoint 'model-2-1'" in said
