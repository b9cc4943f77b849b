"""Heartbeats and the end of a started run over HTTP."""

import datetime as dt

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import User
from accounts.roles import Role
from accounts.tokens import issue
from crises.watching import lose_run
from evals.models import EvalRun, Heartbeat
from tests.api.conftest import faults, nothing_stored, problem
from tests.conftest import Pipeline, person, run_body

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("small", "aurora", "ada")]
SOLVED = {"measurements": [{"metric": "solved", "solved": 0, "total": 500}]}


@pytest.fixture
def start(pipeline):
    return pipeline.run(status="started").json()["id"]


@pytest.fixture
def beat(pipeline, start):
    return lambda body=None, pk=start: pipeline.send(f"runs/{pk}/heartbeat/", body or {})


@pytest.fixture
def finish(pipeline, start):
    return lambda body, pk=start, query="": pipeline.send(f"runs/{pk}/finish/{query}", body)


def lose(pk):
    assert lose_run(run_id=pk, now=timezone.now() + dt.timedelta(hours=1))


def test_a_heartbeat_says_which_run_it_counts_for_and_when_the_next_is_due(beat, start, now):
    answer = beat({"planned": 500, "completed": 30, "scored": 29, "errored": 1, "tokens": 2**53, "cost": 1.25})
    body = answer.json()
    assert (answer.status_code, body.keys()) == (200, {"id", "ref", "status", "heartbeat_due"})
    assert (body["id"], body["ref"], body["status"]) == (start, f"R-{start}", "started")
    due = dt.datetime.fromisoformat(body["heartbeat_due"])
    assert dt.timedelta(minutes=14) < due - now < dt.timedelta(minutes=16)
    kept = Heartbeat.objects.values_list("planned", "completed", "scored", "errored", "tokens", "cost").get()
    assert kept == (500, 30, 29, 1, 2**53, 1.25)


def test_a_run_is_shown_with_what_it_said_last(beat, pipeline, start):
    beat({"completed": 30})
    shown = pipeline.get(f"runs/{start}/").json()["heartbeat"]
    assert (shown["completed"], shown["planned"], shown["lost"], shown["due"] > shown["seen"]) == (30, None, None, True)
    assert pipeline.get(f"runs/{pipeline.run(3, 12, external_id='2').json()['id']}/").json()["heartbeat"] is None


def test_a_heartbeat_takes_few_statements(beat):
    beat()
    with CaptureQueriesContext(connection) as captured:
        beat({"completed": 30, "tokens": 100})
    ours = [query["sql"] for query in captured if "evals_" in query["sql"]]
    assert len(ours) == 2


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        ({"completed": -1}, ("/completed", "min_value")),
        ({"completed": "many"}, ("/completed", "invalid")),
        ({"completed": True}, ("/completed", "invalid")),
        ({"completed": 2**40}, ("/completed", "max_value")),
        ({"tokens": 2**63}, ("/tokens", "max_value")),
        ({"cost": -0.5}, ("/cost", "min_value")),
        ({"samples": 3}, ("/samples", "unknown_field")),
        ([1], ("", "invalid")),
    ],
)
def test_a_heartbeat_that_cannot_be_is_refused(beat, body, fault):
    assert faults(beat(body)) == [fault]
    assert Heartbeat.objects.get().beats == 0


def test_a_heartbeat_of_a_run_that_ended_says_where_it_went(beat, pipeline, start):
    done = pipeline.run(0, 500).json()["id"]
    for pk in (start, done):
        answer = beat({"completed": 30}, pk)
        assert "stands as success" in problem(answer, 409, "run_ended")["detail"]
        assert answer["Location"] == f"/api/v1/runs/{done}/"


def test_a_heartbeat_of_a_lost_run_takes_it_up_again(beat, start):
    lose(start)
    answer = beat({"completed": 30})
    again = EvalRun.objects.get(revision=3)
    assert (answer.status_code, answer.json()["id"], answer.json()["status"]) == (200, again.pk, "started")
    assert beat().json()["id"] == again.pk


def pipeline_of(somebody):
    """A pipeline that posts with a token of this person."""
    pipeline = Pipeline()
    _, pipeline.text = issue(account=somebody, scopes={"runs:write"}, now=timezone.now())
    return pipeline


@pytest.fixture
def namesakes():
    """The pipelines of two people who are called the same."""
    people = [person(name, Role.EVAL_ENGINEER) for name in ("sam", "samuel")]
    User.objects.update(first_name="Sam")
    return [pipeline_of(each) for each in people]


def test_no_other_account_speaks_for_a_run_or_ends_it_though_it_is_called_the_same(namesakes):
    theirs, other = namesakes
    start = theirs.run(status="started").json()["id"]
    for path, body in ((f"runs/{start}/heartbeat/", {}), (f"runs/{start}/finish/", SOLVED), ("runs/", run_body(0, 500))):
        with nothing_stored():
            said = problem(other.send(path, body), 403, "not_allowed")["detail"]
        assert said.startswith(
            f"Only the account that posted R-{start} may speak for it; Sam Eval did not, but another account of that name."
        )
    assert theirs.run(0, 500).status_code == 201


def test_among_many_runs_the_end_by_another_account_is_refused_and_the_others_are_stored(pipeline, namesakes):
    start = pipeline.run(status="started").json()["id"]
    other, _ = namesakes
    refused, stored = other.send("runs/batch/", [run_body(0, 500), run_body(0, 500, external_id="2")]).json()["items"]
    assert (refused["status"], refused["code"], stored["status"]) == (403, "not_allowed", 201)
    assert f'on record, post with "supersedes": {start}.' in refused["detail"]
    assert other.run(0, 500, supersedes=start).status_code == 201


@pytest.mark.parametrize("path", ["heartbeat", "finish"])
def test_a_token_needs_the_scope_and_a_run_must_be_there(pipeline, pipeline_with, path):
    assert problem(pipeline_with("read").send(f"runs/1/{path}/", {}), 403, "not_allowed")
    for pk in (10**6, 2**63 - 1):
        assert problem(pipeline.send(f"runs/{pk}/{path}/", {}), 404, "not_found")


def test_a_finish_is_answered_as_a_post_is(finish, start, pipeline):
    answer = finish(SOLVED)
    body = answer.json()
    assert (answer.status_code, answer["Location"], body["status"]) == (201, f"/api/v1/runs/{body['id']}/", "success")
    assert [verdict["state"] for verdict in body["verdicts"]] == ["clear", "clear"]
    assert pipeline.get(f"runs/{body['id']}/").json()["supersedes"] == start


def test_the_same_finish_again_is_a_replay_and_other_content_a_conflict(finish):
    first = finish(SOLVED).json()
    again = finish(SOLVED)
    assert (again.status_code, again.json()) == (200, {**first, "replayed": True})
    with nothing_stored():
        problem(finish({"status": "error"}), 409, "content_differs")


def test_a_finish_can_be_rehearsed(finish):
    with nothing_stored():
        answer = finish(SOLVED, query="?dry_run=true")
    assert (answer.status_code, answer.json()["id"], answer.json()["dry_run"]) == (200, None, True)


def test_a_finish_that_cannot_be_says_what_is_wrong(finish):
    with nothing_stored():
        assert faults(finish({**SOLVED, "evaluation": "ctf@1"})) == [("/evaluation", "said_at_start")]
        assert faults(finish([])) == [("", "invalid")]


def test_lost_runs_can_be_listed(beat, pipeline, start):
    pipeline.run(status="started", external_id="2")
    lose(start)
    listed = pipeline.get("runs/", status="lost").json()["results"]
    assert [(run["supersedes"], run["posted_by"]) for run in listed] == [(start, "system:system")]


def test_an_interval_of_its_own_is_declared_at_the_start(pipeline):
    pk = pipeline.run(status="started", heartbeat_seconds=5).json()["id"]
    assert pipeline.get(f"runs/{pk}/").json()["heartbeat"]["every"] == 5
    assert faults(pipeline.run(status="started", external_id="3", heartbeat_seconds=1)) == [("/heartbeat_seconds", "invalid")]


def test_a_start_among_many_is_waited_for(pipeline):
    answer = pipeline.send("runs/batch/", [run_body(3, 12, external_id="8"), run_body(status="started", external_id="9")])
    assert answer.status_code == 207
    assert list(Heartbeat.objects.values_list("run__external_id", flat=True)) == ["9"]
