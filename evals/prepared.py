"""Statements written out for the way of every post, on PostgreSQL: composing one by the ORM takes longer than the database's answer."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from math import isfinite
from typing import Any, TypeVar, cast

import orjson
import psycopg
from django.db import DEFAULT_DB_ALIAS, connection, models

Row = TypeVar("Row", bound=models.Model)
Question = tuple[str, Sequence[object]]  # a statement and its values
_waiting: ContextVar[list[Question] | None] = ContextVar("waiting", default=None)
Decoders = tuple[tuple[int, Callable[..., Any], Any], ...]


class Unwritable(Exception):
    """A value that JSON cannot carry as the database would hold it; the ORM is to try, or to refuse it."""


def is_quick() -> bool:
    """Whether the database takes these statements."""
    return connection.vendor == "postgresql"


def quoted(model: type[models.Model], *names: str, of: str = "") -> str:
    """The columns of a model, or some of its fields' columns, as a statement names them, those of the table `of` it calls so."""
    chosen = [model._meta.get_field(name) for name in names] or model._meta.concrete_fields  # noqa: SLF001 - Django's documented way
    said = [f'"{field.column}"' for field in chosen if isinstance(field, models.Field)]
    return ", ".join(f"{of}.{column}" if of else column for column in said)


def ask(statement: str, *values: object) -> list[tuple[Any, ...]]:
    """The rows that a statement answers."""
    with connection.cursor() as cursor:
        cursor.execute(statement, cast(Any, values))
        return list(cursor.fetchall())


def ask_all(*questions: Question) -> list[list[tuple[Any, ...]]]:
    """The rows that each of several statements answers, by one way to the database and back."""
    with connection.cursor(), connection.wrap_database_errors, connection.connection.pipeline():
        cursors = [_asked(*question) for question in questions]
        return [cursor.fetchall() for cursor in cursors]


def _asked(statement: str, values: Sequence[object]) -> Any:
    cursor = connection.cursor()
    cursor.execute(statement, cast(Any, values))
    return cursor


def tell(statement: str, *values: object) -> None:
    """Have the database do something; inside `together` it waits for the next statement and goes with it."""
    if (waiting := _waiting.get()) is not None:
        waiting.append((statement, values))
    else:
        _asked(statement, values).close()


@contextmanager
def together() -> Iterator[None]:
    """Inside, what is told goes to the database with the next statement, whoever makes that, so that one answer is awaited and not
    many; at the end whatever is left goes. The order stays. What is refused is raised by the statement that it went with.

    Use it inside the transaction; where the block raises, what still waited is dropped, for then nothing else is kept either.
    """
    if not is_quick() or _waiting.get() is not None:
        yield
        return
    waiting: list[Question] = []
    token = _waiting.set(waiting)
    try:
        with connection.execute_wrapper(_with_what_waits):
            yield
            send_waiting()
    finally:
        _waiting.reset(token)


def send_waiting() -> None:
    """Send what was told and waits; for whoever talks to the database past Django's cursors."""
    if waiting := _taken():
        _tell_all(waiting)


def _tell_all(told: Sequence[Question]) -> None:
    """Do several things in their order by one way to the database and back."""
    with connection.wrap_database_errors, connection.connection.pipeline():
        for each in told:
            _asked(*each)


def _taken() -> list[Question]:
    """What waits, which waits no more."""
    waiting = _waiting.get() or []
    taken = list(waiting)
    waiting.clear()
    return taken


def _with_what_waits(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: dict[str, Any]) -> Any:  # noqa: FBT001 - Django's
    taken = _taken()
    if not taken:
        return execute(sql, params, many, context)
    if many or isinstance(context["cursor"].cursor, psycopg.ServerCursor):
        _tell_all(taken)
        return execute(sql, params, many, context)
    with connection.wrap_database_errors, connection.connection.pipeline():
        for each in taken:
            _asked(*each)
        return execute(sql, params, many, context)


def insert(rows: Sequence[models.Model], *, nameless: bool) -> None:
    """Store a few new rows by one statement that may wait for the next; raises Unwritable where COPY or the ORM must."""
    model = type(rows[0])
    names = tuple(field.name for field in model._meta.concrete_fields if not (nameless and field.primary_key))  # noqa: SLF001 - as above
    tell(_insertion(model, names), as_json(rows, names))


@cache
def _insertion(model: type[models.Model], names: tuple[str, ...]) -> str:
    table, columns = model._meta.db_table, quoted(model, *names)  # noqa: SLF001 - as above
    return f'INSERT INTO "{table}" ({columns}) SELECT {columns} FROM json_populate_recordset(NULL::"{table}", %s::json)'  # noqa: S608


def made(model: type[Row], rows: Iterable[Sequence[Any]]) -> list[Row]:
    """The model's rows out of all its columns in their order, as the ORM gives them."""
    names, decoders = _reading(model)
    found = []
    for row in rows:
        values = list(row)
        for place, decode, field in decoders:
            values[place] = decode(values[place], field, connection)
        found.append(model.from_db(DEFAULT_DB_ALIAS, names, values))
    return found


@cache
def _reading(model: type[models.Model]) -> tuple[list[str], Decoders]:
    fields = model._meta.concrete_fields  # noqa: SLF001 - Django's documented way to a model's columns
    decoders = ((place, getattr(field, "from_db_value", None)) for place, field in enumerate(fields))
    return [field.attname for field in fields], tuple((place, found, None) for place, found in decoders if found is not None)


def as_json(rows: Sequence[models.Model], names: Sequence[str]) -> str:
    """Some columns of rows as one JSON list for `json_populate_recordset`; raises Unwritable."""
    columns = _columns(type(rows[0]), tuple(names))
    try:
        return orjson.dumps([{column: _sound(row.__dict__[attribute]) for attribute, column in columns} for row in rows]).decode()
    except TypeError as wrong:
        raise Unwritable(str(wrong)) from wrong


@cache
def _columns(model: type[models.Model], names: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    fields = [model._meta.get_field(name) for name in names] if names else model._meta.concrete_fields  # noqa: SLF001 - as above
    return tuple((field.attname, field.column or field.name) for field in fields if isinstance(field, models.Field))


def _sound(value: Any) -> Any:
    if isinstance(value, float) and not isfinite(value):
        raise Unwritable("a number without end")
    return value
