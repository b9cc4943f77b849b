import datetime as dt
from dataclasses import asdict
from itertools import pairwise

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from evals.catalogue import register_checkpoint
from evals.ingest import record_run
from evals.models import EvalResult, EvalRun
from evals.submissions import parse
from tests.conftest import NIGHTLY, run_body
from tests.thresholds.test_queries import store_more
from thresholds import repeated
from thresholds.assess import assess
from thresholds.batches import assess_many
from thresholds.governing import lines_of
from thresholds.models import LevelStatus
from thresholds.repeated import counting_runs, in_doubt, pooled_of, seen_of, settled
from thresholds.withdrawal import withdraw_run

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("aurora")]


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


def test_looks_are_added_up_only_where_something_is_or_was_contested(small, post):
    ledgers = [{}]
    for day, solved in [(-9, 3), (-8, 30), (-7, 10), (-6, 40), (-5, 41)]:
        post(solved, 100, day=day)
        ledgers.append(LevelStatus.objects.get().readings)
    assert [in_doubt(now, before) for before, now in pairwise(ledgers)] == [False, False, True, True, True]
    assert all(settled(now, lines_of(small), before) is now for before, now in pairwise(ledgers) if not in_doubt(now, before))


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


def test_tasks_posted_under_ever_new_names_are_no_new_evidence(enact, post):
    enact(evaluations=[{"n_tasks": 30}])
    for names, solved in [("a", 5), ("b", 0), ("c", 0), ("d", 0)]:
        tasks = [{"id": f"{names}{n}", "solved": int(n < solved)} for n in range(30)]
        post(measurements=[{"metric": "solved", "tasks": tasks}], day=ord(names) - 110)
    pooled = newest()["pooled"]["alert"]
    assert (pooled["clears"], pooled["looks"]) == (False, 4)
    assert "of 30 tasks" in pooled["says"]
    assert LevelStatus.objects.get().reading_state == "watch"


def test_a_run_that_is_stored_and_not_judged_yet_is_no_look(small, post, now):
    post(30, 100, day=-9)
    body = run_body(0, 10_000, external_id="unjudged", completed=(now - dt.timedelta(days=8)).isoformat())
    waiting = record_run(submission=parse(body), actor=NIGHTLY, now=now)
    post(10, 100, day=-7)
    assert (newest()["looks"]["seen"][0], newest()["pooled"]["alert"]["looks"], newest()["pooled"]["alert"]["clears"]) == (2, 2, False)
    assert waiting.run not in counting_runs([(waiting.run.checkpoint_id, waiting.run.evaluation_id)])


@pytest.fixture
def two_versions(enact, aurora, now):
    """The small framework in a second version since five days ago, and a second checkpoint."""
    enact()
    enact(version="2.0", effective_from=(now - dt.timedelta(days=5)).date().isoformat())
    register_checkpoint(model=aurora.model, fields={"slug": "aurora-2", "name": "Aurora 2"}, actor=NIGHTLY, now=now)


def withdrawn(run, ada, now):
    withdraw_run(run_id=run.pk, reason="wrong weights", actor=ada.as_actor(), now=now)


def corrected(run, ada, now):
    stored = _elsewhere(run, now)
    assess(run=stored.run, results=stored.results, now=now, stored_now=True)


def corrected_in_a_batch(run, ada, now):
    stored = _elsewhere(run, now)
    assess_many(stored=[(stored.run, stored.results)], now=now)


def _elsewhere(run, now):
    completed = run.completed.isoformat()
    body = run_body(0, 500, external_id=run.external_id, supersedes=run.pk, checkpoint="aurora-2", completed=completed)
    return record_run(submission=parse(body), actor=NIGHTLY, now=now, judged=now)


@pytest.mark.usefixtures("two_versions")
@pytest.mark.parametrize("taken_back", [withdrawn, corrected, corrected_in_a_batch])
def test_what_cleared_together_with_a_run_that_only_the_version_before_read_is_clear_no_longer_without_it(post, ada, now, taken_back):
    before = post(0, 500, day=-9)["id"]  # came late, and its checkpoint did not stand by the new version yet
    post(19, 100, day=-2)
    post(12, 100, day=-1)
    row = LevelStatus.objects.filter(level__framework__version="2.0", checkpoint__slug="aurora-1")
    assert (row.get().reading_state, row.get().readings["ctf@1"]["complete"]["pooled"]["alert"]["looks"]) == ("clear", 3)
    taken_back(EvalRun.objects.get(pk=before), ada, now)
    assert (row.get().reading_state, row.get().readings["ctf@1"]["complete"]["pooled"]["alert"]["looks"]) == ("watch", 2)


def test_the_runs_that_count_are_the_same_asked_of_one_pair_and_of_many(enact, aurora, post, now):
    enact(evaluations=[{}, {"slug": "range"}])
    register_checkpoint(model=aurora.model, fields={"slug": "aurora-2", "name": "Aurora 2"}, actor=NIGHTLY, now=now)
    counts, invalid, of_another_metric, wrong = (post(5, 100, external_id=each)["id"] for each in ("counts", "invalid", "metric", "wrong"))
    right = post(6, 100, external_id="wrong", supersedes=wrong)["id"]
    post(5, 100, checkpoint="aurora-2")
    post(5, 100, evaluation="range@1")
    record_run(submission=parse(run_body(5, 100, external_id="unjudged")), actor=NIGHTLY, now=now)
    EvalRun.objects.filter(pk=invalid).update(invalidated=now, invalidated_reason="wrong weights")
    EvalResult.objects.filter(run=of_another_metric).update(metric="another")
    pair = aurora.pk, EvalRun.objects.get(pk=counts).evaluation_id
    assert set(counting_runs([pair]).values_list("pk", flat=True)) == {counts, right}
    assert seen_of([pair]) == seen_of([pair, pair]) == ({pair: (2, counts + right)}, {pair[1]: []})
