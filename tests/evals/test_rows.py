import pytest
from django.db import DataError, IntegrityError, transaction
from django.forms import model_to_dict

from evals.models import EvalResult, EvalRun
from evals.rows import check_references, new_row, reserve_ids, store_rows
from evals.storing import Posted, record_runs
from evals.submissions import parse
from tests.conftest import NIGHTLY, on_postgres, run_body

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("small", "aurora")]
NUMBERS = {"metric": "solved", "value": 0.25, "solved": 3.0, "total": 12, "tasks": [{"id": "a", "x": 1e-7}, {"id": "ü\u2028", "x": None}]}


@pytest.fixture(params=[0, 100], ids=["copied", "inserted"], autouse=True)
def few(request, monkeypatch):
    """How many rows go by one statement: either way stores the same."""
    monkeypatch.setattr("evals.rows.FEW", request.param)


@pytest.fixture
def run(now):
    (recorded,) = record_runs(posts=[Posted(parse(run_body(3, 12)), NIGHTLY)], now=now)
    return recorded.run


def result(run, **more):
    return new_row(EvalResult, {"run": run}, {**NUMBERS, "tasks": None, **more})


def test_a_quick_row_is_the_row_that_the_model_makes(run):
    quick, plain = result(run, metric="other"), EvalResult(run=run, **{**NUMBERS, "tasks": None, "metric": "other"})
    assert model_to_dict(quick) == model_to_dict(plain)
    assert (quick.run, quick.pk, quick._state.adding, quick._state.db) == (run, None, True, None)
    quick.save()
    assert EvalResult.objects.get(pk=quick.pk).ci_level == 0.95


def test_stored_rows_are_read_back_as_they_were_and_have_their_ids(run):
    rows = [result(run, metric=name, tasks=NUMBERS["tasks"], reason="a\tb\\N\n") for name in ("a", "b")]
    store_rows(rows)
    for row in rows:
        kept = EvalResult.objects.get(pk=row.pk)
        assert (model_to_dict(kept), row._state.adding) == (model_to_dict(row), False)
    later = result(run, metric="c")
    later.save()
    assert later.pk not in {row.pk for row in rows}


@pytest.mark.parametrize(
    "more",
    [
        {"reason": text}
        for text in ("\\", "\\N", "\\.", "a\\tb", "\t", "\r\n", "\x0b\x7f\x85", "\u2028", "\N{GRINNING FACE}", "x" * 200, ' "quoted" ')
    ]
    + [{"value": number} for number in (None, -0.0, 5e-324, 1.7976931348623157e308, 0.1 + 0.2, 1e22)]
    + [{"tasks": said} for said in ([], [{"a": 'x\\y"\n\t\x01'}], [{"\\N": None}], [{"a": [True, 1, 1.0, "1"]}])],
)
def test_every_sign_and_number_is_read_back_as_it_was(run, more):
    row = result(run, **{"metric": "other", **more})
    store_rows([row, result(run, metric="beside")])
    assert model_to_dict(EvalResult.objects.get(pk=row.pk)) == model_to_dict(row)


def test_rows_that_are_sent_in_parts_are_all_kept_in_their_order(run, monkeypatch):
    monkeypatch.setattr("evals.rows.PART", 2)
    store_rows([result(run, metric=f"m{number}", value=number / 8) for number in range(5)])
    kept = run.results.exclude(metric="solved").order_by("pk").values_list("metric", "value")
    assert list(kept) == [(f"m{number}", number / 8) for number in range(5)]


@pytest.mark.parametrize("count", [1, 3, 32, 33, 70])
@pytest.mark.parametrize("nameless", [False, True])
def test_as_many_rows_are_kept_as_were_given(run, count, nameless):
    wanted = {f"m{number}": number / 8 for number in range(count)}
    store_rows([result(run, metric=metric, value=value) for metric, value in wanted.items()], nameless=nameless)
    assert dict(run.results.exclude(metric="solved").values_list("metric", "value")) == wanted


@pytest.mark.parametrize("nameless", [False, True])
def test_a_row_without_what_every_row_has_is_refused_and_not_left_out(run, nameless):
    rows = [result(run, metric="a"), result(run, metric="b"), result(run, metric="c")]
    vars(rows[1])["run_id"] = rows[1]._state.fields_cache["run"] = None
    with pytest.raises(IntegrityError), transaction.atomic():
        store_rows(rows, nameless=nameless)
    assert run.results.count() == 1


@pytest.mark.django_db(transaction=True)
def test_rows_that_go_by_several_statements_are_kept_all_or_not_at_all(run):
    with pytest.raises(IntegrityError):
        store_rows([result(run, metric=f"m{min(number, 35)}") for number in range(40)], nameless=True)
    assert run.results.count() == 1


@on_postgres
@pytest.mark.postgres
def test_a_text_that_is_too_long_is_refused_and_not_cut(run):
    with pytest.raises(DataError), transaction.atomic():
        store_rows([result(run, metric="a", reason="x" * 201)])
    assert run.results.count() == 1


@on_postgres
@pytest.mark.postgres
def test_a_text_that_the_database_cannot_hold_is_refused(run):
    with pytest.raises(DataError), transaction.atomic():
        store_rows([result(run, metric="a", reason="a\x00b")])
    assert run.results.count() == 1


def test_nobody_asks_a_nameless_row_for_its_id(run):
    store_rows([result(run, metric="a")], nameless=True)
    assert sorted(run.results.values_list("metric", flat=True)) == ["a", "solved"]


def test_what_the_database_refuses_is_raised_and_none_is_kept(run):
    with pytest.raises(IntegrityError), transaction.atomic():
        store_rows([result(run, metric="a"), result(run, metric="b"), result(run, metric="a")])
    assert run.results.count() == 1


@on_postgres
@pytest.mark.postgres
def test_a_row_that_refers_to_nothing_is_refused_when_that_is_looked_for(run):
    with transaction.atomic():
        store_rows([new_row(EvalResult, {}, {**NUMBERS, "tasks": None, "run_id": run.pk + 1000})])
        with pytest.raises(IntegrityError):
            check_references()
        transaction.set_rollback(True)
    assert EvalResult.objects.count() == 1


def test_reserved_ids_are_nobody_elses(run):
    ids = list(reserve_ids(EvalRun, 3))
    assert len(set(ids)) == 3
    assert min(ids) > run.pk
    assert list(reserve_ids(EvalRun, 0)) == []
