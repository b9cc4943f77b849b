"""What is rare is read off an index of its own, by the statement that the API and the pages really send."""

import re

import pytest
from django.db import connection

from evals.heartbeats import losses
from evals.models import STATUSES, EvalRun

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("small", "aurora")]


@pytest.fixture
def few(small, aurora, pipeline):
    """One run of each rare kind among many that succeeded."""
    first = EvalRun.objects.get(pk=pipeline.run(0, 500).json()["id"])
    pipeline.run(status="error", external_id="failed")
    pipeline.run(status="lost", external_id="lost")
    about = {"producer": "many", "judged": first.judged, "checkpoint": first.checkpoint, "evaluation": first.evaluation, "digest": ""}
    times = {"completed": first.completed, "received": first.received}
    rows = [EvalRun(external_id=str(number), status="success", complete=True, **about, **times) for number in range(500)]
    EvalRun.objects.bulk_create(rows)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")


class Asked:
    """Notes the statements about runs, with their parameters apart."""

    def __init__(self):
        self.told = []

    def __call__(self, execute, sql, params, many, context):
        if sql.startswith("SELECT") and "run" in sql.partition(" FROM ")[2][:20]:
            self.told.append((sql, params))
        return execute(sql, params, many, context)


def plan_of(sql, params):
    assert not set(STATUSES) & set(params)  # what is no part of the statement is unknown to a plan that is kept
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN {'QUERY PLAN ' if connection.vendor == 'sqlite' else ''}{sql}", params)
        return " ".join(str(row) for row in cursor.fetchall())


@pytest.mark.usefixtures("few")
@pytest.mark.parametrize(
    ("asked", "index"),
    [({"status": "error"}, "run_unsuccessful"), ({"status": "started"}, "run_unsuccessful"), ({"complete": "false"}, "run_incomplete")],
)
def test_a_list_of_what_is_rare_is_read_off_its_own_index(pipeline, asked, index):
    with connection.execute_wrapper(noted := Asked()):
        answer = pipeline.get("runs/", **asked)
    ((sql, params),) = noted.told
    assert len(answer.json()["results"]) == EvalRun.objects.filter(**{**asked, "complete": False}).count()
    assert index in plan_of(sql, params)


@pytest.mark.usefixtures("few")
def test_what_was_lost_is_found_by_the_index_of_losses():
    with connection.execute_wrapper(noted := Asked()):
        assert losses().count() == 1
    ((sql, params),) = noted.told
    assert re.search("run_lost|run_unsuccessful", plan_of(sql, params))


@pytest.mark.parametrize("status", ["no such", "' OR 1=1 --", "error' --"])
def test_a_word_that_is_no_status_is_a_parameter_and_finds_nothing(pipeline, status):
    pipeline.run(status="error")
    assert not EvalRun.objects.filter(status=status).exists()
    assert EvalRun.objects.filter(status="error").exists()


@pytest.mark.usefixtures("few")
def test_a_list_of_one_checkpoint_names_it_by_its_id_so_that_the_planner_knows_how_many_runs_it_has(pipeline, aurora):
    with connection.execute_wrapper(noted := Asked()):
        answer = pipeline.get("runs/", checkpoint=aurora.slug)
    ((sql, _),) = noted.told
    assert len(answer.json()["results"]) == 100
    assert re.search(rf'"checkpoint_id" = \(?{aurora.pk}\b', sql)
    assert pipeline.get("runs/", checkpoint="nobody").json()["results"] == []
