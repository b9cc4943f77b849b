"""Storing many new rows at once: on PostgreSQL by COPY with ids reserved from the sequence, elsewhere by the ORM's bulk insert."""

import datetime as dt
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache
from itertools import islice, repeat
from operator import itemgetter
from typing import Any, TypeVar

import orjson
from django.db import DEFAULT_DB_ALIAS, connection, models
from django.db.models.base import ModelState

from database.asking import ask_all, is_quick, send_waiting, tell
from database.wire import Question
from evals.prepared import Unwritable, insert

RESERVE = "SELECT array_agg(nextval(%s::regclass)) FROM generate_series(1, %s)"
Row = TypeVar("Row", bound=models.Model)
Plan = tuple[str, Callable[[dict[str, Any]], tuple[Any, ...]], frozenset[int]]
FEW = 100  # rows that go by statements which may wait for the next; COPY is faster for more, but waits three times
PART = 1000  # rows; the database works on one part while the next is written


def ids_question(model: type[models.Model], count: int) -> Question:
    """What `reserve_ids` asks of PostgreSQL."""
    return RESERVE, (_sequence(model._meta.db_table), count)  # noqa: SLF001 - Django's documented way to a model's table


@cache
def _sequence(table: str) -> str:
    """What numbers the rows of a table; asked once, for looking it up took longer than a number."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_get_serial_sequence(%s, 'id')", [table])
        (found,) = cursor.fetchone()
    if found is None:
        raise LookupError(f"nothing numbers the rows of {table}")
    return str(found)


def reserve_ids(model: type[models.Model], count: int) -> Iterator[int]:
    """So many ids that no other row of the model has or gets; ask inside the transaction that stores the rows."""
    if is_quick():
        (((numbers,),),) = ask_all(ids_question(model, count))
        return iter(numbers or ())
    table = model._meta.db_table  # noqa: SLF001 - Django's documented way to a model's table
    with connection.cursor() as cursor:
        cursor.execute("SELECT COALESCE(MAX(seq), 0) FROM sqlite_sequence WHERE name = %s", [table])  # a transaction is the one writer
        (last,) = cursor.fetchone()
    return iter(range(last + 1, last + count + 1))


def store_rows(rows: Sequence[models.Model], *, nameless: bool = False) -> None:
    """Insert new rows of one model and give an id to each that has none; a row that the database refuses is raised, and none is kept.

    Where nobody will ask for their ids, rows may stay `nameless`: the database numbers them, and the objects do not hear of it.
    """
    if not rows:
        return
    model = type(rows[0])
    if not nameless:
        key = model._meta.pk.attname  # noqa: SLF001 - Django's documented way to a model's columns
        unnamed = [row for row in map(vars, rows) if row[key] is None]
        for row, number in zip(unnamed, reserve_ids(model, len(unnamed)) if unnamed else (), strict=True):
            row[key] = number
    if is_quick():
        _send(rows, nameless=nameless)
    else:
        model._default_manager.bulk_create(rows)  # noqa: SLF001 - the manager of any model


def _send(rows: Sequence[models.Model], *, nameless: bool) -> None:
    if not (len(rows) <= FEW and _went_together(rows, nameless=nameless)):
        send_waiting()
        plan = _plan(type(rows[0]), _every(type(rows[0]), nameless=nameless))
        _copy(plan, map(plan[1], map(vars, rows)))
    for row in rows:
        state = row._state  # noqa: SLF001 - as the ORM leaves what it has stored
        state.adding, state.db = False, DEFAULT_DB_ALIAS


def _went_together(rows: Sequence[models.Model], *, nameless: bool) -> bool:
    try:
        insert(rows, nameless=nameless)
    except Unwritable:
        return False
    return True


def check_references() -> None:
    """Have the database look now at what it would look at when the transaction commits."""
    if is_quick():
        tell("SET CONSTRAINTS ALL IMMEDIATE")


def new_row(model: type[Row], related: Mapping[str, models.Model | None], values: Mapping[str, Any]) -> Row:
    """A row that is not stored yet, as `model(**related, **values)` makes it in five times the time: every column must be in
    `values` that has no default, and nothing is checked."""
    ids = {f"{name}_id": None if other is None else other.pk for name, other in related.items()}
    return like(model, {**_defaults(model), **ids}, related, values)


def like(model: type[Row], pattern: Mapping[str, Any], related: Mapping[str, models.Model | None], values: Mapping[str, Any]) -> Row:
    """A row that is not stored yet, with the columns of a pattern, among them the ids of what it is related to, where `values` say
    nothing else."""
    row = model.__new__(model)
    row.__dict__ = {**pattern, **values}
    state = row._state = ModelState()  # noqa: SLF001 - what the ORM keeps of a row
    state.fields_cache = dict(related)
    return row


@cache
def _defaults(model: type[models.Model]) -> dict[str, Any]:
    """What a column holds that is not said; what may be changed in place has no default here."""
    return {field.attname: field.get_default() for field in model._meta.concrete_fields if not isinstance(field, models.JSONField)}  # noqa: SLF001


def store_values(model: type[models.Model], names: Sequence[str], values: Sequence[tuple[Any, ...]]) -> None:
    """Insert new rows of which only these columns are said and which nobody needs as objects; each value by its column's name."""
    if not values:
        return
    if is_quick() and len(values) > FEW:
        send_waiting()
        _copy(_plan(model, tuple(names)), values)
    else:
        store_rows([new_row(model, {}, dict(zip(names, each, strict=True))) for each in values])


def _copy(plan: Plan, values: Iterable[tuple[Any, ...]]) -> None:
    """Send the rows in parts, so that the database takes one while the next is written."""
    statement, _, documents = plan
    known: dict[int, str] = {}
    waiting = iter(values)
    with connection.cursor() as cursor, connection.wrap_database_errors, cursor.copy(statement) as copy:
        while part := list(islice(waiting, PART)):
            columns = zip(*part, strict=True)
            written = [_documents(column, known) if place in documents else _column(column) for place, column in enumerate(columns)]
            copy.write("\n".join(map("\t".join, zip(*written, strict=True))) + "\n")


@cache
def _plan(model: type[models.Model], names: tuple[str, ...]) -> Plan:
    """The statement that takes these columns of a model, how their values are read from a row, and which of them are JSON."""
    about = model._meta  # noqa: SLF001 - Django's documented way to a model's columns
    fields = {field.attname: field for field in about.concrete_fields}
    columns = ", ".join(connection.ops.quote_name(fields[name].column or name) for name in names)
    documents = frozenset(place for place, name in enumerate(names) if isinstance(fields[name], models.JSONField))
    statement = f"COPY {connection.ops.quote_name(about.db_table)} ({columns}) FROM STDIN"
    return statement, itemgetter(*names), documents


@cache
def _every(model: type[models.Model], *, nameless: bool) -> tuple[str, ...]:
    """All columns of a model, or all but its key."""
    return tuple(field.attname for field in model._meta.concrete_fields if not (nameless and field.primary_key))  # noqa: SLF001


def _column(values: Sequence[Any]) -> Iterable[str]:
    """The values of one column as COPY reads them; all of one kind at once, where that is all there is."""
    kinds = set(map(type, values))
    if len(kinds) > 1:
        return [WRITERS.get(type(value), _plainly)(value) for value in values]
    (kind,) = kinds
    write = WRITERS.get(kind, _plainly)
    if kind is not float and values.count(values[0]) == len(values):
        return repeat(write(values[0]), len(values))
    return values if kind is str and _needs_no_escape("".join(values)) else map(write, values)


def _text(value: str) -> str:
    """A text with the signs escaped that mean something to COPY."""
    return value if _needs_no_escape(value) else value.translate(ESCAPES)


def _plainly(value: object) -> str:
    return _text(str(value))


def _needs_no_escape(text: str) -> bool:
    return "\\" not in text and text.isprintable()


def _documents(contents: Sequence[Any], known: dict[int, str]) -> Iterable[str]:
    """Each content as JSON; what several rows share is written once (it lives as long as the rows)."""
    names = list(map(id, contents))
    for name, content in zip(names, contents, strict=True):
        if name not in known:
            text = orjson.dumps(content).decode()
            known[name] = NULL if content is None else text.replace("\\", "\\\\") if "\\" in text else text
    return map(known.__getitem__, names)


NULL = "\\N"
ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})
WRITERS: Mapping[type, Callable[[Any], str]] = {
    type(None): lambda _: NULL,
    str: _text,
    int: str,
    float: repr,
    bool: lambda value: "t" if value else "f",
    dt.datetime: str,
}
