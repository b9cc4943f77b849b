"""Statements written out for the way of every post, on PostgreSQL: composing one by the ORM takes longer than the database's answer."""

from collections.abc import Callable, Iterable, Sequence
from functools import cache
from math import isfinite
from operator import itemgetter
from typing import Any, TypeVar

import msgspec
import orjson
from django.db import DEFAULT_DB_ALIAS, connection, models
from django.db.models.base import ModelState

from database.asking import tell

Row = TypeVar("Row", bound=models.Model)
Decoder = Callable[[Any], Any]
Reader = Callable[[dict[str, Any]], tuple[Any, ...]]


class Unwritable(Exception):
    """A value that JSON cannot carry as the database would hold it; the ORM is to try, or to refuse it."""


def quoted(model: type[models.Model], *names: str, of: str = "") -> str:
    """The columns of a model, or some of its fields' columns, as a statement names them, those of the table `of` it calls so."""
    chosen = [model._meta.get_field(name) for name in names] or model._meta.concrete_fields  # noqa: SLF001 - Django's documented way
    said = [f'"{field.column}"' for field in chosen if isinstance(field, models.Field)]
    return ", ".join(f"{of}.{column}" if of else column for column in said)


def insert(rows: Sequence[models.Model], *, nameless: bool) -> None:
    """Store a few new rows by one statement that may wait for the next; raises Unwritable where COPY or the ORM must."""
    statement, names = _insertion(type(rows[0]), nameless=nameless)
    tell(statement, as_json(rows, names))


@cache
def _insertion(model: type[models.Model], *, nameless: bool) -> tuple[str, tuple[str, ...]]:
    """The statement that stores rows of a model, and the fields that it stores."""
    about = model._meta  # noqa: SLF001 - as above
    names = tuple(field.name for field in about.concrete_fields if not (nameless and field.primary_key))
    table, columns = about.db_table, quoted(model, *names)
    return f'INSERT INTO "{table}" ({columns}) SELECT {columns} FROM json_populate_recordset(NULL::"{table}", %s::json)', names  # noqa: S608


def made(model: type[Row], rows: Iterable[Sequence[Any]]) -> list[Row]:
    """The model's rows out of all its columns in their order, as the ORM gives them."""
    names, decoders = _reading(model)
    found = []
    for values in rows:
        row = model.__new__(model)
        held = row.__dict__ = dict(zip(names, values, strict=True))
        for name, decode in decoders:
            held[name] = decode(held[name])
        state = row._state = ModelState()  # noqa: SLF001 - what the ORM keeps of a row
        state.adding, state.db = False, DEFAULT_DB_ALIAS
        found.append(row)
    return found


@cache
def _reading(model: type[models.Model]) -> tuple[tuple[str, ...], tuple[tuple[str, Decoder], ...]]:
    """The columns of a model as its rows hold them, and how those are read that psycopg gives otherwise."""
    fields = model._meta.concrete_fields  # noqa: SLF001 - Django's documented way to a model's columns
    names = tuple(field.attname for field in fields)
    return names, tuple((field.attname, _decoder(field)) for field in fields if hasattr(field, "from_db_value"))


def _decoder(field: Any) -> Decoder:
    """How the ORM reads a column; JSON in a quarter of the time, where a quicker reader takes it."""

    def slowly(value: Any) -> Any:
        return field.from_db_value(value, None, connection)

    def quickly(value: Any) -> Any:
        try:
            return None if value is None else msgspec.json.decode(value)
        except msgspec.MsgspecError:  # a number beyond all doubles
            return slowly(value)

    return quickly if type(field) is models.JSONField and field.decoder is None else slowly


def as_json(rows: Sequence[models.Model], names: Sequence[str]) -> str:
    """Some columns of rows as one JSON list for `json_populate_recordset`; raises Unwritable."""
    read, columns = _columns(type(rows[0]), tuple(names))
    try:
        return orjson.dumps([dict(zip(columns, _sound(read(row.__dict__)), strict=True)) for row in rows]).decode()
    except TypeError as wrong:
        raise Unwritable(str(wrong)) from wrong


@cache
def _columns(model: type[models.Model], names: tuple[str, ...]) -> tuple[Reader, tuple[str, ...]]:
    """How the values of some fields are read from what a row holds, and their columns."""
    about = model._meta  # noqa: SLF001 - as above
    fields = [field for field in map(about.get_field, names) if isinstance(field, models.Field)]
    read: Reader = itemgetter(*[field.attname for field in fields]) if len(fields) > 1 else lambda held: (held[fields[0].attname],)
    return read, tuple(field.column or field.name for field in fields)


def _sound(values: tuple[Any, ...]) -> tuple[Any, ...]:
    if float in map(type, values) and not all(map(isfinite, [value for value in values if type(value) is float])):
        raise Unwritable("a number without end")
    return values
