"""Statements written out for the way of every post, on PostgreSQL: composing one by the ORM takes longer than the database's answer."""

from collections.abc import Callable, Iterable, Sequence
from functools import cache
from math import isfinite
from typing import Any, TypeVar

import orjson
from django.db import DEFAULT_DB_ALIAS, connection, models

from database.asking import tell

Row = TypeVar("Row", bound=models.Model)
Decoders = tuple[tuple[int, Callable[..., Any], Any], ...]


class Unwritable(Exception):
    """A value that JSON cannot carry as the database would hold it; the ORM is to try, or to refuse it."""


def quoted(model: type[models.Model], *names: str, of: str = "") -> str:
    """The columns of a model, or some of its fields' columns, as a statement names them, those of the table `of` it calls so."""
    chosen = [model._meta.get_field(name) for name in names] or model._meta.concrete_fields  # noqa: SLF001 - Django's documented way
    said = [f'"{field.column}"' for field in chosen if isinstance(field, models.Field)]
    return ", ".join(f"{of}.{column}" if of else column for column in said)


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
