"""Storing many new rows at once: on PostgreSQL by COPY with ids reserved from the sequence, elsewhere by the ORM's bulk insert."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from operator import itemgetter
from typing import Any, TypeVar

import orjson
from django.db import DEFAULT_DB_ALIAS, connection, models
from django.db.models.base import ModelState

Row = TypeVar("Row", bound=models.Model)
Plan = tuple[str, Callable[[dict[str, Any]], tuple[Any, ...]], tuple[int, ...]]


def reserve_ids(model: type[models.Model], count: int) -> Iterator[int]:
    """So many ids that no other row of the model has or gets; ask inside the transaction that stores the rows."""
    table = model._meta.db_table  # noqa: SLF001 - Django's documented way to a model's table
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            wanted = "SELECT array_agg(nextval(pg_get_serial_sequence(%s, 'id'))) FROM generate_series(1, %s)"
            cursor.execute(wanted, [table, count])
            return iter(cursor.fetchone()[0] or ())
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
        unnamed = [row for row in rows if row.pk is None]
        for row, number in zip(unnamed, reserve_ids(model, len(unnamed)) if unnamed else (), strict=True):
            row.pk = number
    if connection.vendor == "postgresql":
        _copy(rows, nameless=nameless)
    else:
        model._default_manager.bulk_create(rows)  # noqa: SLF001 - the manager of any model


def check_references() -> None:
    """Have the database look now at what it would look at when the transaction commits."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")


def new_row(model: type[Row], related: Mapping[str, models.Model | None], values: Mapping[str, Any]) -> Row:
    """A row that is not stored yet, as `model(**related, **values)` makes it in five times the time: every column must be in
    `values` that has no default, and nothing is checked."""
    row = model.__new__(model)
    row.__dict__.update(_defaults(model), **values)
    state = row._state = ModelState()  # noqa: SLF001 - what the ORM keeps of a row
    for name, other in related.items():
        row.__dict__[f"{name}_id"] = None if other is None else other.pk
        state.fields_cache[name] = other
    return row


@cache
def _defaults(model: type[models.Model]) -> dict[str, Any]:
    """What a column holds that is not said; what may be changed in place has no default here."""
    return {field.attname: field.get_default() for field in model._meta.concrete_fields if not isinstance(field, models.JSONField)}  # noqa: SLF001


def _copy(rows: Sequence[models.Model], *, nameless: bool) -> None:
    statement, read, documents = _plan(type(rows[0]), nameless=nameless)
    known: dict[int, str] = {}
    with connection.cursor() as cursor, connection.wrap_database_errors, cursor.copy(statement) as copy:
        for row in rows:
            values = list(read(row.__dict__))
            for place in documents:
                values[place] = _json(values[place], known)
            copy.write_row(values)
    for row in rows:
        row._state.adding, row._state.db = False, DEFAULT_DB_ALIAS  # noqa: SLF001 - as the ORM leaves what it has stored


@cache
def _plan(model: type[models.Model], *, nameless: bool) -> Plan:
    """The statement that takes a model's rows, how their values are read, and which of them are JSON."""
    about = model._meta  # noqa: SLF001 - Django's documented way to a model's columns
    fields = [field for field in about.concrete_fields if not (nameless and field.primary_key)]
    columns = ", ".join(connection.ops.quote_name(field.column or field.name) for field in fields)
    documents = tuple(place for place, field in enumerate(fields) if isinstance(field, models.JSONField))
    statement = f"COPY {connection.ops.quote_name(about.db_table)} ({columns}) FROM STDIN"
    return statement, itemgetter(*(field.attname for field in fields)), documents


def _json(content: Any, known: dict[int, str]) -> str | None:
    """The content as JSON; what several rows share is written once (it lives as long as the rows)."""
    if content is None:
        return None
    found = known.get(id(content))
    if found is None:
        found = known[id(content)] = orjson.dumps(content).decode()
    return found
