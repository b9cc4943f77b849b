"""What judging one run costs in statements; `python -m bench.assess` measures the time as well."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from evals.ingest import record_run
from evals.models import EvalResult, EvalRun
from evals.submissions import parse
from tests.conftest import NIGHTLY, run_body
from thresholds.assess import assess
from thresholds.models import Assessment, LevelStatus

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("aurora")]
MOST = 6


@pytest.fixture
def statements(now):
    """How many statements judging one more run takes."""

    def statements(external_id):
        recorded = record_run(submission=parse(run_body(4, 200, external_id=external_id)), actor=NIGHTLY, now=now, judged=now)
        with CaptureQueriesContext(connection) as captured:
            judged = assess(run=recorded.run, results=recorded.results, now=now, stored_now=True)
        assert len(judged) == LevelStatus.objects.count()
        return len(captured)

    return statements


def copy(row, **changed):
    fields = {field.attname: getattr(row, field.attname) for field in row._meta.concrete_fields if not field.primary_key}
    return type(row)(**{**fields, **changed})


def store_more(count):
    """As many more judged results of the same pair as if they had been posted."""
    run = EvalRun.objects.latest("pk")
    result, assessments = run.results.get(), list(run.assessments.all())
    runs = EvalRun.objects.bulk_create(copy(run, external_id=f"more-{number}") for number in range(count))
    EvalResult.objects.bulk_create(copy(result, run_id=each.pk) for each in runs)
    Assessment.objects.bulk_create(copy(one, run_id=each.pk) for each in runs for one in assessments)


def test_a_second_run_takes_at_most_six_statements(small, statements):
    statements("first")
    assert statements("second") <= MOST


def test_one_level_and_three_take_the_same_number(enact, statements):
    enact()
    statements("first")
    at_one = statements("second")
    enact(levels=[{}, {"slug": "second"}], slug="pair", developer="Southwind")
    statements("third")
    assert (LevelStatus.objects.count(), statements("fourth")) == (3, at_one)


def test_the_number_does_not_grow_with_the_results_that_are_stored(small, statements):
    statements("first")
    at_one = statements("second")
    store_more(300)
    assert statements("third") == at_one


def test_where_all_looks_are_added_up_it_takes_no_more(small, post, statements):
    post(60, 200, day=-9)
    statements("first")
    assert statements("second") <= MOST
    store_more(300)
    statements("third")
    assert statements("fourth") <= MOST
