"""What a post costs in statements, BEGIN and COMMIT among them."""

import re

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import ApiToken
from crises.models import Crisis
from evals.models import EvalResult, EvalRun
from thresholds.models import Assessment

pytestmark = pytest.mark.django_db
MOST = 18  # two of them ask which checkpoints inherit the run, and what was found out about its evaluation


@pytest.fixture
def seen(pipeline, days):
    """The token's last use is written once a minute: not in these tests."""
    ApiToken.objects.update(last_used=days(1))
    return pipeline


def statements(pipeline, solved, external_id):
    with CaptureQueriesContext(connection) as captured:
        answer = pipeline.run(solved, 200, external_id=external_id)
    assert answer.status_code == 201, answer.content
    return [query["sql"] for query in captured.captured_queries]


def copy(row, **changed):
    fields = {field.attname: getattr(row, field.attname) for field in row._meta.concrete_fields if not field.primary_key}
    return type(row)(**{**fields, **changed})


def store_more(count):
    """As many more judged results of the same pair as if they had been posted."""
    run = EvalRun.objects.latest("pk")
    result, assessment = run.results.get(), run.assessments.get()
    runs = EvalRun.objects.bulk_create(copy(run, external_id=f"more-{number}") for number in range(count))
    EvalResult.objects.bulk_create(copy(result, run_id=each.pk) for each in runs)
    Assessment.objects.bulk_create(copy(assessment, run_id=each.pk) for each in runs)


def test_a_plain_post_takes_as_few_statements_at_three_hundred_results_as_at_three(seen, small, aurora):
    for number in range(3):
        statements(seen, 4, f"first-{number}")
    at_three = statements(seen, 4, "at-three")
    store_more(296)
    at_three_hundred = statements(seen, 5, "at-three-hundred")
    assert EvalRun.objects.count() == Assessment.objects.count() == 301
    assert len(at_three) <= MOST
    assert len(at_three_hundred) == len(at_three)


def test_a_post_that_stays_in_a_reached_state_costs_no_more(seen, small, aurora, ada):
    statements(seen, 60, "crosses")
    assert len(statements(seen, 60, "stays")) <= MOST


def test_a_crossing_asks_for_nothing_that_is_at_hand(seen, small, aurora, ada):
    statements(seen, 4, "first")
    opens, joins = statements(seen, 60, "opens"), statements(seen, 150, "joins")
    assert Crisis.objects.get().crossings.count() == 2
    assert max(len(opens), len(joins)) <= MOST + 12


def test_the_audit_head_is_the_last_row_to_be_locked(seen, small, aurora):
    statements(seen, 4, "first")
    said = statements(seen, 4, "second")
    locks = [index for index, sql in enumerate(said) if "audit_append" in sql or (sql.startswith("SELECT") and '"audit_head"' in sql)]
    after = [set(re.findall(r'"(audit_\w+|evals_\w+|thresholds_\w+|crises_\w+)"', sql)) for sql in said[locks[0] + 1 : -1]]
    assert (len(locks), after) in ((1, []), (1, [{"audit_entry"}, {"audit_head"}]))


def test_a_repeated_post_writes_nothing(seen, small, aurora):
    statements(seen, 4, "once")
    with CaptureQueriesContext(connection) as captured:
        assert seen.run(4, 200, external_id="once").json()["replayed"]
    assert not [sql for query in captured.captured_queries if (sql := query["sql"]).startswith(("INSERT", "UPDATE", "DELETE"))]
