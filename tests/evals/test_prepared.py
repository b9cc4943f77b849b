import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction

from database.asking import ask, ask_all, is_quick, tell, together
from evals.models import Evaluation, FrontierModel
from evals.prepared import Unwritable, made, quoted, written
from evals.rows import store_rows
from tests.database.conftest import prepare_anew


def a_model(slug: str) -> FrontierModel:
    return FrontierModel(slug=slug, name="A model", developer="Works")


@pytest.fixture(autouse=True)
def postgresql(db: None) -> None:
    if not is_quick():
        pytest.skip("PostgreSQL's own way")
    prepare_anew()


@pytest.fixture
def evaluation() -> Evaluation:
    fields = {"unit": "proportion", "direction": "higher", "rubric": [{"grade": 1, "says": "a"}], "minimum": 0.1}
    return Evaluation.objects.create(slug="tasks", version="1", name="Tasks", **fields)


def slugs() -> list[str]:
    return sorted(FrontierModel.objects.values_list("slug", flat=True))


def test_rows_are_made_as_the_orm_gives_them(evaluation: Evaluation) -> None:
    statement = f"SELECT {quoted(Evaluation)} FROM evals_evaluation WHERE id = %s"  # noqa: S608 - names of columns only
    (found,) = made(Evaluation, ask(statement, evaluation.pk))
    kept = Evaluation.objects.get(pk=evaluation.pk)
    assert {field.attname: getattr(found, field.attname) for field in Evaluation._meta.concrete_fields} == {
        field.attname: getattr(kept, field.attname) for field in Evaluation._meta.concrete_fields
    }
    assert not found._state.adding


@pytest.mark.parametrize(
    "written",
    [
        "[1e22, -0.0, 5e-324, 0.1, 1.10, 18446744073709551616, -9223372036854775809, 1e400]",
        f"[1{'0' * 400}.5, -1{'0' * 400}.5]",
        '[null, true, "", {"a": {"": [1.0, "\\u2028 \\u007f \\\\ \\ud83d\\ude00"]}}]',
        '"a text"',
    ],
)
def test_json_is_read_as_the_orm_reads_it(evaluation: Evaluation, written: str) -> None:
    ask("UPDATE evals_evaluation SET rubric = %s::jsonb WHERE id = %s", written, evaluation.pk)
    statement = f"SELECT {quoted(Evaluation)} FROM evals_evaluation WHERE id = %s"  # noqa: S608 - names of columns only
    (found,) = made(Evaluation, ask(statement, evaluation.pk))
    assert repr(found.rubric) == repr(Evaluation.objects.get(pk=evaluation.pk).rubric)


def test_several_questions_are_answered_in_their_order() -> None:
    assert ask_all(("SELECT 1", []), ("SELECT %s::int + 1", [1]), ("SELECT 3 WHERE false", [])) == [[(1,)], [(2,)], []]


def test_what_is_told_together_is_there_for_the_next_statement_of_anybody() -> None:
    with transaction.atomic(), together():
        store_rows([a_model("one")])
        store_rows([a_model("two")])
        assert slugs() == ["one", "two"]
        store_rows([a_model("three")])
    assert slugs() == ["one", "three", "two"]


def test_the_end_sends_what_is_left() -> None:
    with transaction.atomic(), together():
        tell("SELECT set_config('fsf.told', 'yes', true)")
        assert connection.in_atomic_block
        store_rows([a_model("last")])
    assert slugs() == ["last"]


def store_twice(slug: str) -> None:
    store_rows([a_model(slug)])
    store_rows([a_model(slug)])
    slugs()


def fail_after(*stored: str) -> None:
    for slug in stored:
        store_rows([a_model(slug)])
    raise ZeroDivisionError


def test_what_the_database_refuses_is_raised_as_django_raises_it_and_nothing_is_kept() -> None:
    with pytest.raises(IntegrityError) as refused, transaction.atomic(), together():
        store_twice("same")
    assert getattr(refused.value.__cause__, "sqlstate", "") == "23505"
    assert slugs() == []


def test_a_refusal_at_the_end_is_raised_too() -> None:
    with pytest.raises(DatabaseError), transaction.atomic(), together():
        store_rows([a_model("same"), a_model("same")])
    assert slugs() == []


def test_what_waits_is_dropped_where_the_block_raises() -> None:
    with pytest.raises(ZeroDivisionError), transaction.atomic(), together():
        fail_after("never")
    with transaction.atomic(), together():
        store_rows([a_model("later")])
    assert slugs() == ["later"]


def test_what_is_told_inside_a_savepoint_goes_with_it() -> None:
    with transaction.atomic(), together():
        store_rows([a_model("outer")])
        with pytest.raises(ZeroDivisionError), transaction.atomic():
            fail_after("inner")
        assert slugs() == ["outer"]


def test_a_reading_by_a_cursor_on_the_server_sees_what_was_told() -> None:
    with transaction.atomic(), together():
        store_rows([a_model("one")])
        assert [row.slug for row in FrontierModel.objects.iterator(chunk_size=1)] == ["one"]


@pytest.mark.parametrize("number", [float("inf"), float("-inf"), float("nan")])
def test_a_number_without_end_is_the_orms_to_refuse(evaluation: Evaluation, number: float) -> None:
    evaluation.minimum = number
    with pytest.raises(Unwritable):
        written([evaluation], ["minimum"])
