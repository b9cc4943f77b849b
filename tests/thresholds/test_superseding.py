"""Corrections in a batch: all at once where that gives what one by one gives, and in their turn where it does not."""

import datetime as dt

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from evals.catalogue import register_checkpoint
from evals.ingest import record_run
from evals.submissions import parse
from tests.conftest import NIGHTLY, run_body
from tests.thresholds.test_batches import EVALUATIONS, LEVELS, MORE, NOW, counts, one_by_one, together, what_stands
from thresholds.assess import assess
from thresholds.batches import assess_many
from thresholds.models import Assessment, Crossing, LevelStatus
from thresholds.signdown import lowerable, sign_down

pytestmark = pytest.mark.django_db
LATER = NOW + dt.timedelta(hours=1)


@pytest.fixture
def levels(enact, aurora):
    """Four levels on three evaluations, one of which two evaluations decide together, and two checkpoints."""
    enact(levels=LEVELS, evaluations=EVALUATIONS)
    register_checkpoint(model=aurora.model, fields={"slug": "aurora-2", "name": "Aurora 2"}, actor=NIGHTLY, now=NOW)


def measured(random, evaluations, *, correcting):
    """A run that mostly rules everything out, and mostly in the place of an earlier one where it is `correcting`."""
    return {
        "checkpoint": "aurora-1" if random.random() < 0.9 else "aurora-2",
        "evaluation": random.choice(evaluations),
        "counts": random.choice([(0, 300)] * 6 + [(30, 100), (60, 100), (9, 100)]),
        "day": random.randint(-30, -1),
        "more": random.choice([{}] * 8 + MORE),
        "does": "corrects" if correcting and random.random() < 0.7 else "measures",
        "which": random.randint(0, 30),
    }


@pytest.mark.parametrize(("evaluations", "signs"), [(["ctf@1"], 0.0), (["ctf@1"] * 5 + ["range@1", "range@1", "net@1"], 0.8)])
@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(random=st.randoms(use_true_random=True))
def test_corrections_leave_behind_in_a_batch_what_they_leave_one_by_one(levels, ada, evaluations, signs, random):
    batches = [
        [measured(random, evaluations, correcting=index > 0) for _ in range(random.randint(3, 9))] for index in range(random.randint(2, 3))
    ]
    drawn = batches, bool(signs) and random.random() < 0.2, random.random() < signs
    assert what_stands(drawn, together, ada) == what_stands(drawn, one_by_one, ada)


def corrections(runs, solved, total=100, now=LATER):
    """The same runs with another result, in the order of `runs`."""
    bodies = [run_body(solved, total, external_id=run.external_id, supersedes=run.pk) for run, _ in runs]
    recorded = [record_run(submission=parse(body), actor=NIGHTLY, now=now, judged=now) for body in bodies]
    return [(each.run, each.results) for each in recorded]


def statements_of(stored, now):
    with CaptureQueriesContext(connection) as captured:
        assess_many(stored=stored, now=now)
    return len(captured)


def test_many_corrections_take_as_many_statements_as_two(small, aurora):
    before = counts(*range(1, 13))
    assess_many(stored=before, now=NOW)
    few, many = (statements_of(corrections(some, 0), LATER) for some in (before[:2], before[2:10]))
    assert few == many
    assert sum(reading["run"] in {run.pk for run, _ in before} for reading in LevelStatus.objects.get().readings["ctf@1"].values()) == 0


@pytest.mark.parametrize("batch", [True, False])
def test_what_was_signed_down_stands_again_while_its_correction_is_still_to_come(small, aurora, ada, batch):
    high, low = *counts(60), *counts(0, total=3000)
    assess_many(stored=[high, low], now=NOW)
    status = LevelStatus.objects.get()
    assert lowerable(status)
    sign_down(status_id=status.pk, reason="Ruled out.", actor=ada.as_actor(), now=NOW)
    if batch:
        assess_many(stored=corrections([low, high], 0), now=LATER)
    else:
        for each in (low, high):
            ((run, results),) = corrections([each], 0)
            assess(run=run, results=results, now=LATER, stored_now=True)
    assert list(Crossing.objects.order_by("pk").values_list("kind", "episode")) == [("critical", 1), ("critical", 2)]


def test_a_correction_of_another_evaluation_takes_back_what_it_corrects(levels):
    first = counts(0)
    assess_many(stored=first, now=NOW)
    body = run_body(0, 100, external_id=first[0][0].external_id, supersedes=first[0][0].pk, evaluation="range@1")
    recorded = record_run(submission=parse(body), actor=NIGHTLY, now=LATER, judged=LATER)
    assess_many(stored=[(recorded.run, recorded.results)], now=LATER)
    assert LevelStatus.objects.get(level__slug="second").readings == {}
    assert LevelStatus.objects.get(level__slug="third").readings.keys() - {"ctf@1"} == {"range@1"}
    assert Assessment.objects.filter(run=recorded.run).exists()


@pytest.mark.parametrize("instead", [{}, {"checkpoint": "aurora-2"}, {"evaluation": "range@1"}])
def test_a_reading_that_a_batch_corrects_is_gone_from_the_rows_as_it_is_one_by_one(enact, aurora, ada, instead):
    enact(levels=LEVELS[:3], evaluations=EVALUATIONS)  # none that evaluations decide together, of which each run is judged alone
    register_checkpoint(model=aurora.model, fields={"slug": "aurora-2", "name": "Aurora 2"}, actor=NIGHTLY, now=NOW)
    plain = {"checkpoint": "aurora-1", "evaluation": "ctf@1", "more": {}, "does": "measures"}
    wrong = {**plain, "counts": (30, 100), "day": -5}
    right = {**plain, "counts": (0, 100), "day": -4, "does": "corrects", "which": 0, **instead}
    history = [[wrong], [right, {**plain, "counts": (2, 100), "day": -3}]], False, False
    told = what_stands(history, together, ada)
    assert told == what_stands(history, one_by_one, ada)
    standing = {run for *_, readings in told[0] for slots in readings.values() for _, run, *_ in slots}
    assert "1-1.1" in standing
    assert "0-0.1" not in standing
