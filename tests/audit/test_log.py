import datetime as dt
from contextlib import suppress

import pytest
from django.db import DatabaseError, connection, transaction

from accounts.roles import SYSTEM, Actor, Kind, Role
from audit import log
from audit.chain import GENESIS
from audit.models import Entry, Head
from tests.conftest import on_postgres

pytestmark = pytest.mark.django_db
COPY = (
    "INSERT INTO audit_entry (seq, at, actor_kind, actor, actor_id, action, about, data, previous_hash, hash) "
    "SELECT {}, at, actor_kind, actor, actor_id, action, about, data, previous_hash, 'h' FROM audit_entry WHERE seq = 1"
)
SEVERAL = (
    "INSERT INTO audit_entry (seq, at, actor_kind, actor, actor_id, action, about, data, previous_hash, hash) "
    "SELECT place, at, actor_kind, actor, actor_id, action, about, data, previous_hash, 'h' || place "
    "FROM audit_entry, (SELECT {} AS place UNION ALL SELECT {}) AS places WHERE seq = 1"
)
ADA = Actor(Kind.PERSON, "Ada Safety", 1, Role.SAFETY_LEAD)


@pytest.fixture
def record(now):
    def record(action="a.b.c", about="x:1", actor=SYSTEM, at=now, **data):
        log.record(action=action, about=about, actor=actor, now=at, data=data)

    return record


def tamper(sql, *parameters):
    """Changes the log behind the triggers' back, as somebody with the database's own rights could."""
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            triggers = list(cursor.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'"))
            for name, _ in triggers:
                cursor.execute(f"DROP TRIGGER {name}")
            cursor.execute(sql, parameters)
            for _, again in triggers:
                cursor.execute(again)
        else:
            cursor.execute("SET LOCAL session_replication_role = replica")
            cursor.execute(sql, parameters)
            cursor.execute("SET LOCAL session_replication_role = origin")


def test_an_entry_says_who_did_what_to_what(record, now):
    record("crises.crisis.close", "crisis:4", ADA, reason="done")
    (entry,) = Entry.objects.all()
    assert (entry.seq, entry.at, entry.action, entry.about, entry.data) == (1, now, "crises.crisis.close", "crisis:4", {"reason": "done"})
    assert (entry.actor_kind, entry.actor, entry.actor_id, entry.previous_hash) == ("person", "Ada Safety", 1, GENESIS)


def test_entries_are_chained_and_the_head_is_the_last(record):
    for number in range(3):
        record(number=number)
    first, second, third = Entry.objects.order_by("seq")
    assert (second.previous_hash, third.previous_hash) == (first.hash, second.hash)
    assert (Head.objects.get().seq, Head.objects.get().hash) == (3, third.hash)
    assert log.verify() is None


def test_an_empty_log_holds():
    assert log.verify() is None


def test_what_is_rolled_back_leaves_no_entry_and_no_gap(record):
    record()
    with suppress(RuntimeError), transaction.atomic():
        record(lost=True)
        raise RuntimeError
    record(kept=True)
    assert list(Entry.objects.order_by("seq").values_list("seq", "data")) == [(1, {}), (2, {"kept": True})]
    assert log.verify() is None


def test_gathered_entries_are_appended_together_at_the_end(record, django_assert_num_queries):
    with transaction.atomic(), log.gathered():
        record(number=1)
        record(number=2)
        assert not Entry.objects.exists()
    assert list(Entry.objects.order_by("seq").values_list("data__number", flat=True)) == [1, 2]
    assert log.verify() is None


def test_where_the_block_fails_nothing_gathered_is_kept_and_the_next_one_is_clean(record):
    with suppress(RuntimeError), transaction.atomic(), log.gathered():
        record()
        raise RuntimeError
    record(after=True)
    assert list(Entry.objects.values_list("data", flat=True)) == [{"after": True}]


def test_gathering_nothing_touches_nothing(django_assert_num_queries):
    with django_assert_num_queries(0), log.gathered():
        pass


@pytest.mark.parametrize(
    "data",
    [
        {"number": 1e22, "small": 1e-300, "third": 1 / 3, "whole": 2.0, "minus": -0.0, "big": 10**30},
        {"nested": {"list": [1e17, {"deep": (3.0, None, True)}]}},
        {"big": 2**64, "small": -(2**63), "true": True, "nothing": None},
        {"\uffff": "\x01\x1f\x7f\x85\b\f\n\r\t/", "\U00010000": "", "Z": "z", "a": '"\\'},
        {"by number": {10: 1, 9: {2: "a", 10: "b"}}},
        {"text": "é\u2028 \U0001f600 'quote\" \\ </script>", "": "", "key with spaces": None},
    ],
)
def test_whatever_is_recorded_still_verifies_when_the_database_gives_it_back(record, data):
    record(**data)
    assert log.verify() is None


def test_a_time_in_another_zone_is_the_same_moment(record, now):
    record(at=now.astimezone(dt.timezone(dt.timedelta(hours=9))))
    assert Entry.objects.get().at == now
    assert log.verify() is None


def test_a_name_that_is_too_long_for_the_column_never_stops_the_change_it_tells_of(record):
    record(about="evaluation:" + "x" * 200, actor=Actor(Kind.PERSON, "y" * 300, 1, Role.MEMBER))
    assert (len(Entry.objects.get().about), len(Entry.objects.get().actor)) == (120, 150)
    assert log.verify() is None


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_entry SET action = 'x'",
        "UPDATE audit_entry SET seq = seq + 10",
        "DELETE FROM audit_entry",
        "DELETE FROM audit_entry WHERE seq = 2",
        COPY.format(5),
        COPY.format(2),
        COPY.format(0),
        SEVERAL.format(3, 5),
        SEVERAL.format(4, 5),
        SEVERAL.format(0, 3),
    ],
)
def test_the_database_refuses_to_change_delete_or_misplace_an_entry(record, statement):
    record()
    record()
    with pytest.raises(DatabaseError, match=r"audit entries are|audit_entry_pkey"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)
    assert (Entry.objects.count(), log.verify()) == (2, None)


def test_entries_in_order_may_come_in_one_statement(record):
    record()
    record()
    with connection.cursor() as cursor:
        cursor.execute(SEVERAL.format(3, 4))
    assert list(Entry.objects.order_by("seq").values_list("seq", flat=True)) == [1, 2, 3, 4]


@pytest.mark.skipif(connection.vendor != "sqlite", reason="SQLite's own way to overwrite a row")
def test_the_database_refuses_to_replace_an_entry(record):
    record()
    with pytest.raises(DatabaseError, match="audit entries are"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("INSERT OR REPLACE INTO audit_entry SELECT * FROM audit_entry WHERE seq = 1")
    assert log.verify() is None


@on_postgres
@pytest.mark.postgres
def test_the_database_refuses_to_empty_the_log(record):
    record()
    with pytest.raises(DatabaseError, match="audit entries are"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("TRUNCATE audit_entry")
    assert Entry.objects.count() == 1


def test_the_orm_cannot_change_an_entry_either(record):
    record()
    entry = Entry.objects.get()
    entry.action = "x"
    for change in (entry.save, entry.delete, lambda: Entry.objects.update(action="x"), lambda: Entry.objects.all().delete()):
        with pytest.raises(DatabaseError), transaction.atomic():
            change()
    assert log.verify() is None


@pytest.mark.parametrize(
    ("statement", "broken"),
    [
        ("UPDATE audit_entry SET actor = 'Mallory' WHERE seq = 2", 2),
        ("UPDATE audit_entry SET about = 'x:2' WHERE seq = 1", 1),
        ("UPDATE audit_entry SET data = '{\"number\": 9}' WHERE seq = 3", 3),
        ("UPDATE audit_entry SET actor_id = 7 WHERE seq = 3", 3),
        ("UPDATE audit_entry SET hash = 'f' WHERE seq = 2", 2),
        ("DELETE FROM audit_entry WHERE seq = 2", 2),
        ("DELETE FROM audit_entry WHERE seq = 1", 1),
        ("DELETE FROM audit_entry WHERE seq = 3", 3),
        ("DELETE FROM audit_entry", 3),
        ("UPDATE audit_head SET seq = 2", 2),
        ("UPDATE audit_head SET hash = 'f'", 3),
    ],
)
def test_what_was_changed_behind_the_triggers_is_found(record, statement, broken):
    for number in range(3):
        record(number=number)
    tamper(statement)
    assert log.verify() == broken


def test_a_second_head_is_refused():
    with pytest.raises(DatabaseError), transaction.atomic():
        Head.objects.create(pk=2)


@on_postgres
@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_entries_written_at_once_are_chained_without_a_gap(at_once, now):
    at_once(lambda number: log.record(action="a.b.c", about=f"x:{number}", actor=SYSTEM, now=now), range(16))
    assert (Entry.objects.count(), log.verify()) == (16, None)
