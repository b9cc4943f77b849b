"""Statements written out for the way of every post, on PostgreSQL: composing one by the ORM takes longer than the database's answer."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import nullcontext
from functools import cache
from itertools import chain, repeat
from math import isfinite
from operator import itemgetter
from typing import Any, TypeVar

import msgspec
import orjson
from django.db import DEFAULT_DB_ALIAS, connection, models, transaction
from django.db.models.base import ModelState

from database.asking import tell

Row = TypeVar("Row", bound=models.Model)
Decoder = Callable[[Any], Any]
Reader = Callable[[dict[str, Any]], tuple[Any, ...]]
KINDS = models.FloatField, models.DateTimeField, models.JSONField  # which are not written as they are
SIZES = (1, 2, 4, 8, 16, 32)  # rows that go by one statement


class Unwritable(Exception):
    """A value that is not written here as the database would hold it; the ORM is to try, or to refuse it."""


def quoted(model: type[models.Model], *, of: str = "") -> str:
    """The columns of a model as a statement names them, those of the table `of` it calls so."""
    said = [f'"{field.column}"' for field in model._meta.concrete_fields]  # noqa: SLF001 - Django's documented way
    return ", ".join(f"{of}.{column}" if of else column for column in said)


def insert(rows: Sequence[models.Model], *, nameless: bool) -> None:
    """Store a few new rows by statements that may wait for the next; raises Unwritable where COPY or the ORM must."""
    model = type(rows[0])
    values, never = written(rows, _stored(model, nameless=nameless)), _never(model, nameless=nameless)
    if None in [each[never] for each in values]:
        raise Unwritable("a row that the database must refuse, and not take for one that was only filled up")
    parts = list(in_parts(values))
    with transaction.atomic(savepoint=False) if len(parts) > 1 else nullcontext():
        for part, count in parts:
            tell(_insertion(model, count, nameless=nameless), *part)


@cache
def _never(model: type[models.Model], *, nameless: bool) -> int:
    """The place of a value that no row of a model is without."""
    return next(place for place, field in enumerate(in_order(model, _stored(model, nameless=nameless))) if not field.null)


@cache
def _stored(model: type[models.Model], *, nameless: bool) -> tuple[str, ...]:
    """The fields of a new row, with its key or without."""
    return tuple(field.name for field in model._meta.concrete_fields if not (nameless and field.primary_key))  # noqa: SLF001 - as above


@cache
def _insertion(model: type[models.Model], count: int, *, nameless: bool) -> str:
    """The statement that stores up to so many rows of a model."""
    fields = in_order(model, _stored(model, nameless=nameless))
    columns = ", ".join([f'"{field.column}"' for field in fields])
    never = fields[_never(model, nameless=nameless)].column
    return f"""INSERT INTO "{model._meta.db_table}" ({columns})
        SELECT {columns} FROM {told(fields, count)} WHERE "{never}" IS NOT NULL"""  # noqa: S608, SLF001 - names only


def told(fields: "Sequence[models.Field[Any, Any]]", count: int) -> str:
    """The rows that `in_parts` gives the values of, as a table `r`; those that were only filled up are all NULL."""
    row = ", ".join([f"%s::{_type(field)}" for field in fields])
    return f"""(VALUES {", ".join([f"({row})"] * count)}) r ({", ".join([f'"{field.column}"' for field in fields])})"""


def _type(field: "models.Field[Any, Any]") -> str:
    """How a statement calls a column's type; a cast to `varchar(9)` would cut what is too long, and the column refuses it."""
    return "text" if isinstance(field, models.CharField) else str(field.cast_db_type(connection))


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


def in_parts(rows: Sequence[Sequence[object]]) -> Iterator[tuple[list[object], int]]:
    """The values of rows for one statement after the other, and how many rows it is for: filled up by NULL to one of a few sizes, so that
    few statements are prepared."""
    for begin in range(0, len(rows), SIZES[-1]):
        part = rows[begin : begin + SIZES[-1]]
        count = next(size for size in SIZES if size >= len(part))
        yield [*chain.from_iterable(part), *repeat(None, len(rows[0]) * (count - len(part)))], count


def in_order(model: type[models.Model], names: Iterable[str]) -> "list[models.Field[Any, Any]]":
    """Some fields of a model in the order in which `written` gives their values: by kind."""
    fields = [field for field in map(model._meta.get_field, names) if isinstance(field, models.Field)]  # noqa: SLF001 - as above
    return sorted(fields, key=_kind)


def _kind(field: "models.Field[Any, Any]") -> int:
    return next((kind for kind, some in enumerate(KINDS, 1) if isinstance(field, some)), 0)


def written(rows: Sequence[models.Model], names: Sequence[str]) -> list[list[object]]:
    """Some columns of rows, for psycopg to write, in the order of `in_order`; raises Unwritable."""
    plain, numbers, times, documents = _readers(type(rows[0]), tuple(names))
    try:
        return [
            [
                *plain(held),
                *map(_sound, numbers(held)),
                *[None if each is None else orjson.dumps(each)[1:-1].decode() for each in times(held)],
                *[None if each is None else orjson.dumps(each).decode() for each in documents(held)],
            ]
            for held in map(vars, rows)
        ]
    except (TypeError, OverflowError) as wrong:
        raise Unwritable(str(wrong)) from wrong


@cache
def _readers(model: type[models.Model], names: tuple[str, ...]) -> list[Reader]:
    """How the values of some fields are read from what a row holds, by kind."""
    fields = in_order(model, names)
    return [_reader([field.attname for field in fields if _kind(field) == kind]) for kind in range(len(KINDS) + 1)]


def _reader(names: Sequence[str]) -> Reader:
    if len(names) > 1:
        return itemgetter(*names)
    return lambda held: tuple([held[name] for name in names])


def _sound(value: float | None) -> float | None:
    if value is not None and not isfinite(value):
        raise Unwritable("a number without end")
    return value
