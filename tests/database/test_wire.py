"""Several statements by one way to PostgreSQL and back."""

import datetime as dt

import pytest
from django.db import DatabaseError, IntegrityError, OperationalError, ProgrammingError, connection, transaction

from database.asking import ask, ask_all, asked_ahead, is_quick, send_off, tell, together, with_statements_prepared
from database.wire import UNPREPARED, exchange
from evals.models import Checkpoint, FrontierModel
from tests.database.conftest import prepare_anew

INSERT = "INSERT INTO evals_frontiermodel (slug, name, developer, family) VALUES (%s, 'A', 'Works', '')"
ORPHAN = """INSERT INTO evals_checkpoint (model_id, slug, name, relation) VALUES (2147483647, 'orphan', 'Orphan', '')"""


pytestmark = pytest.mark.django_db
committed = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def postgresql():
    if not is_quick():
        pytest.skip("PostgreSQL's own way")
    prepare_anew()


def slugs():
    return sorted(FrontierModel.objects.values_list("slug", flat=True))


def test_every_statement_is_answered_in_its_place():
    with transaction.atomic():
        assert exchange([("SELECT %s::int + 1", [1]), (INSERT, ["one"]), ("SELECT slug FROM evals_frontiermodel", [])]) == [
            [(2,)],
            [],
            [("one",)],
        ]


def test_the_same_statement_twice_in_one_exchange_is_prepared_once():
    assert exchange([("SELECT %s::text AS twice", ["a"]), ("SELECT %s::text AS twice", ["b"])]) == [[("a",)], [("b",)]]


@committed
def test_after_a_refusal_nothing_is_run_and_the_connection_is_good():
    with pytest.raises(IntegrityError), transaction.atomic():
        exchange([(INSERT, ["same"]), (INSERT, ["same"]), (INSERT, ["never"])])
    assert slugs() == []
    with transaction.atomic():
        with_statements_prepared(lambda: exchange([(INSERT, ["later"])]))
    assert slugs() == ["later"]


def ask_after_something_was_sent_off(value):
    tell(INSERT, "first")
    send_off()
    ask("SELECT %s::text", value)


@pytest.mark.parametrize("value", ["a\0b", object()])
def test_a_value_that_cannot_be_written_is_refused_before_anything_is_sent_and_the_connection_is_good(value):
    with transaction.atomic():
        exchange([(INSERT, ["kept"])])
        with pytest.raises(DatabaseError), transaction.atomic(), together():
            ask_after_something_was_sent_off(value)
        assert slugs() == ["kept"]


def test_a_statement_that_cannot_be_prepared_is_refused_each_time():
    for _ in range(2):
        with pytest.raises(ProgrammingError) as wrong, transaction.atomic():
            exchange([("SELECT nothing FROM nowhere", [])])
        assert wrong.value.__cause__.sqlstate == "42P01"


def rolled_back_inside():
    point = transaction.savepoint()
    FrontierModel.objects.count()
    transaction.savepoint_rollback(point)


@committed
def test_where_a_savepoint_took_the_prepared_statements_away_the_next_attempt_succeeds():
    tries = []

    def attempt():
        with transaction.atomic(), together():
            tries.append(len(tries))
            if len(tries) == 1:
                for _ in range(4):  # so that psycopg has something prepared, and clears it
                    rolled_back_inside()
            return ask("SELECT 7 AS kept")

    exchange([("SELECT 7 AS kept", [])])
    assert with_statements_prepared(attempt) == [(7,)]
    with pytest.raises(DatabaseError) as refused:
        with_statements_prepared(lambda: exchange([("SELECT 1 / %s::int", [0])]))
    assert refused.value.__cause__.sqlstate != UNPREPARED


@committed
def test_the_commit_goes_with_the_last_of_it():
    with transaction.atomic(), together(commit=True):
        tell(INSERT, "kept")
    connection.close()
    assert slugs() == ["kept"]
    assert not connection.in_atomic_block


@committed
def test_what_is_refused_by_the_commit_is_raised_and_nothing_is_kept():
    with pytest.raises(IntegrityError), transaction.atomic(), together(commit=True):
        tell(f"WITH it AS ({ORPHAN}) {INSERT}", "lost")  # its model is looked for at the commit
    assert (slugs(), Checkpoint.objects.count()) == ([], 0)


@committed
def test_an_inner_block_commits_nothing():
    with transaction.atomic():
        with transaction.atomic(), together(commit=True):
            tell(INSERT, "lost")
        transaction.set_rollback(True)
    assert slugs() == []


@committed
def test_a_connection_that_is_gone_is_said_to_be_gone():
    with pytest.raises(OperationalError), transaction.atomic(), together():
        exchange([("SELECT pg_terminate_backend(pg_backend_pid())", [])])
    connection.close()
    assert ask("SELECT 1") == [(1,)]


def test_whoever_watches_the_statements_of_a_connection_sees_these_too():
    seen = []
    with connection.execute_wrapper(lambda execute, sql, *rest: (seen.append(sql), execute(sql, *rest))[1]):
        exchange([("SELECT 1 AS one", []), ("SELECT 2 AS two", [])])
    assert seen == ["SELECT 1 AS one", "SELECT 2 AS two"]


NOW, COUNT = "SELECT clock_timestamp()", "SELECT %s::int + count(*) FROM evals_frontiermodel"


def asked_after(ahead, *wanted):
    """What is answered after something was asked ahead and a row was written since."""

    def attempt():
        with transaction.atomic(), together():
            with asked_ahead(ahead):
                tell(INSERT, "since")
                found = [ask(*each) for each in wanted]
            transaction.set_rollback(True)
        return found

    return with_statements_prepared(attempt)


def test_what_was_asked_ahead_is_answered_once_and_only_for_the_same_values():
    assert asked_after([(COUNT, [1])], (COUNT, 1), (COUNT, 1), (COUNT, 2)) == [[(1,)], [(2,)], [(3,)]]


def test_what_was_not_asked_ahead_is_asked_then():
    assert asked_after([(COUNT, [5])], (COUNT, 1)) == [[(2,)]]


def test_several_are_asked_together_but_for_those_at_hand():
    def attempt():
        with transaction.atomic(), together(), asked_ahead([(NOW, [])]):
            return ask_all((NOW, []), (COUNT, [0]), (NOW, []))

    ahead, count, now = with_statements_prepared(attempt)
    assert (count, ahead < now) == ([(0,)], True)


@committed
def test_what_was_sent_off_is_kept_with_the_rest_also_where_the_orm_speaks_next():
    with transaction.atomic(), together(commit=True):
        tell(INSERT, "early")
        send_off()
        assert slugs() == ["early"]
        tell(INSERT, "next")
        send_off()
        tell(INSERT, "last")
    connection.close()
    assert slugs() == ["early", "last", "next"]


def told(*each, then=()):
    """Tell some and send them off, then others; fail where nothing comes then."""
    with transaction.atomic(), together(commit=True):
        for slug in each:
            tell(INSERT, slug)
        send_off()
        if not then:
            raise ZeroDivisionError
        tell(INSERT, *then)


@committed
def test_what_was_sent_off_in_vain_is_raised_with_the_next_answer_and_nothing_is_kept():
    with pytest.raises(IntegrityError):
        told("same", "same", then=["after"])
    assert slugs() == []


@committed
@pytest.mark.parametrize("refused", ["same", "other"])
def test_where_the_work_fails_after_sending_off_the_connection_is_good_and_nothing_is_kept(refused):
    with pytest.raises(ZeroDivisionError):
        told("same", refused)
    assert (slugs(), ask("SELECT 1")) == ([], [(1,)])


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("text[]", ["a", "NULL", "", " ", "{x}", "a,b", "\u2028 \U0001f600", "\n\t", "'"]),
        ("text[]", ['"', "\\", "a"]),
        ("text[]", ["a", None]),
        ("text[]", []),
        ("bigint[]", [1, -2, 2**62]),
        ("bigint[]", [None, 7]),
        ("boolean[]", [True, False]),
        ("float8[]", [0.1, 1e300]),
    ],
)
def test_a_list_arrives_as_it_was(kind, values):
    assert exchange([(f"SELECT %s::{kind}", [values])]) == [[(values,)]]


def test_a_text_that_no_list_can_hold_is_refused():
    with pytest.raises(DatabaseError):
        exchange([("SELECT %s::text[]", [["a\x00b"]])])


@pytest.mark.parametrize("moment", ["2026-11-23 02:11:12.12+05:30", "0001-01-02 00:00:00+00", "9999-12-31 23:59:59.999999+00"])
def test_a_moment_is_read_as_a_cursor_reads_it(moment):
    statement = f"SELECT '{moment}'::timestamptz"
    with connection.cursor() as cursor:
        cursor.execute(statement)
        (expected,) = cursor.fetchall()
    (((found,),),) = exchange([(statement, [])])
    assert ((found,), found.tzinfo) == (expected, dt.UTC)


def test_whoever_watches_sees_also_what_goes_together():
    seen = []
    watch = connection.execute_wrapper(lambda execute, sql, *rest: (seen.append(sql), execute(sql, *rest))[1])
    with transaction.atomic(), watch, together():
        tell("SELECT 1 AS told")
        ask("SELECT 2 AS asked")
    assert seen == ["SELECT 1 AS told", "SELECT 2 AS asked"]


def told_to_a_server_that_goes():
    with transaction.atomic(), together(commit=True):
        tell(INSERT, "before")
        tell("SELECT pg_terminate_backend(pg_backend_pid())")
        send_off()
        tell(INSERT, "after")


@committed
def test_where_the_server_goes_after_sending_off_that_is_raised_and_nothing_is_kept():
    with pytest.raises(OperationalError):
        told_to_a_server_that_goes()
    connection.close()
    assert slugs() == []
