from dataclasses import asdict

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from evals.models import EvalRun
from tests.thresholds.test_queries import store_more
from thresholds import repeated
from thresholds.governing import lines_of
from thresholds.models import LevelStatus
from thresholds.repeated import pooled_of

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("small", "aurora")]


def newest():
    """The newest complete reading."""
    return LevelStatus.objects.get().readings["ctf@1"]["complete"]


def from_rows(small):
    """What all runs say of the alert line, read from their rows."""
    lines = [line for line in lines_of(small) if line.kind == "alert"]
    return asdict(pooled_of(EvalRun.objects.latest("pk"), lines)["alert"])


def reads_all(post, *counts, **more):
    """Whether a post reads the results of other runs."""
    with CaptureQueriesContext(connection) as captured:
        post(*counts, **more)
    return any('FROM "evals_evalresult" INNER JOIN "evals_evalrun"' in each["sql"] for each in captured)


def test_one_look_more_is_added_to_what_is_kept(small, post):
    assert [reads_all(post, solved, 100, day=day - 9) for day, solved in enumerate([30, 10, 8, 9, 7])] == [False, True, False, False, False]
    assert newest()["pooled"]["alert"] == from_rows(small)
    assert newest()["looks"]["seen"][0] == newest()["pooled"]["alert"]["looks"] == 5


def test_a_late_run_and_one_that_rules_nothing_out_are_added_too(small, post):
    for day, solved in [(-9, 30), (-8, 10), (-20, 2), (-7, 15), (-6, 8)]:
        post(solved, 100, day=day)
    assert newest()["pooled"]["alert"] == from_rows(small)
    assert newest()["pooled"]["alert"]["looks"] == 5


def test_a_run_that_was_cut_short_is_not_taken_for_a_whole_one_of_the_same_counts(small, post):
    post(30, 100, day=-9)
    post(1, 100, day=-8, status="error")
    post(1, 100, day=-7)
    looks = newest()["looks"]["kinds"]["alert"]
    assert (looks["every"]["looks"], looks["against"]["looks"]) == (3, 2)


def test_runs_that_came_by_another_door_are_not_missed(small, post):
    for day, solved in [(-9, 30), (-8, 10)]:
        post(solved, 100, day=day)
    store_more(3)
    assert reads_all(post, 8, 100, day=-7)
    assert newest()["pooled"]["alert"] == from_rows(small)
    assert newest()["pooled"]["alert"]["looks"] == 6


def test_a_run_that_counts_no_more_is_not_counted(small, post, now):
    first, *_ = (post(solved, 100, day=day) for day, solved in [(-9, 30), (-8, 10), (-7, 9)])
    EvalRun.objects.filter(pk=first["id"]).update(invalidated=now, invalidated_reason="wrong weights")
    assert reads_all(post, 8, 100, day=-6)
    assert newest()["pooled"]["alert"] == from_rows(small)


def test_of_too_many_named_tasks_nothing_is_kept(small, post, monkeypatch):
    monkeypatch.setattr(repeated, "MOST_NAMED", 20)
    for day, solved in [(-9, 10), (-8, 1), (-7, 0)]:
        tasks = [{"id": str(n), "solved": int(n < solved)} for n in range(30)]
        post(measurements=[{"metric": "solved", "tasks": tasks}], day=day)
    assert (newest()["looks"]["kinds"], newest()["looks"]["names"]) == ({}, [])
    assert newest()["pooled"]["alert"] == from_rows(small)
