"""Several statements by one way to PostgreSQL and back, past the cursors, which talk to it for each: psycopg's `pq` and its pipeline mode.

A statement is prepared once for a connection. psycopg takes all that is prepared away where a savepoint was rolled back: the next
exchange is then refused with `UNPREPARED`, and the whole transaction succeeds when it is made again. Values go as text and take the
types that the statement gives them, so it must say those that do not follow from its columns (`%s::bigint[]`).
"""

from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import blake2b
from typing import Any
from weakref import WeakKeyDictionary

import psycopg
from django.db import connection
from psycopg.adapt import PyFormat, Transformer
from psycopg.errors import error_from_result
from psycopg.pq import ConnStatus, ExecStatus, TransactionStatus
from psycopg.waiting import Ready, Wait

Question = tuple[str, Sequence[object]]  # a statement and its values
Rows = list[tuple[Any, ...]]
UNPREPARED = "26000"  # SQLSTATE: the server knows no statement of this name
SOUND = {ExecStatus.COMMAND_OK, ExecStatus.TUPLES_OK}


@dataclass(slots=True)
class _Known:
    """What is prepared on a connection; after a loss under new names, for some of it may be there."""

    losses: int = 0
    names: set[bytes] = field(default_factory=set)


@dataclass(slots=True)
class _Way:
    """What is on its way to the server and was not answered yet."""

    values: Any  # psycopg's Transformer
    preparing: dict[int, bytes] = field(default_factory=dict)  # by the place of its result, the name of what is prepared
    place: int = 0


_prepared: "WeakKeyDictionary[psycopg.Connection[Any], _Known]" = WeakKeyDictionary()
_open: "WeakKeyDictionary[psycopg.Connection[Any], _Way]" = WeakKeyDictionary()


def exchange(questions: Sequence[Question], *, commit: bool = False) -> list[Rows]:
    """What each statement answers, in order; the first that is refused is raised as the ORM raises it, and none after it is run.

    With `commit` the transaction is committed with them, which the block of Django's around it finds done.
    """
    _ready(questions)
    with connection.wrap_database_errors:
        return _exchange(connection.connection, questions, commit=commit)


def send_off(questions: Sequence[Question]) -> None:
    """Have the server do these while we do something else; what it refuses is raised by the next `exchange`, which must come before
    anybody else talks to it, or `call_off`."""
    _ready(questions)
    with connection.wrap_database_errors, _closed_on_error(connection.connection) as to:
        _send(to, questions, _way(to))
        to.pgconn.flush()  # what it cannot take at once goes with the next exchange


def is_under_way() -> bool:
    """Whether something was sent off and its answer not awaited yet."""
    return connection.connection in _open


def call_off() -> None:
    """Wait until what was sent off is done, whatever comes of it: the transaction is given up."""
    with suppress(psycopg.Error):
        _exchange(connection.connection, (), commit=False)


def _ready(questions: Iterable[Question]) -> None:
    connection.ensure_connection()
    connection.validate_no_broken_transaction()
    if connection.queries_logged or connection.execute_wrappers:
        for each in questions:
            _tell_wrappers(*each)


@contextmanager
def _closed_on_error(to: "psycopg.Connection[Any]") -> "Iterator[psycopg.Connection[Any]]":
    try:
        yield to
    except BaseException:
        _open.pop(to, None)
        to.close()  # who knows what is still on its way
        raise


def _way(to: "psycopg.Connection[Any]") -> _Way:
    if (way := _open.get(to)) is None:
        way = _Way(Transformer(to))
        to.pgconn.enter_pipeline_mode()
        _open[to] = way
    return way


def _exchange(to: "psycopg.Connection[Any]", questions: Sequence[Question], *, commit: bool) -> list[Rows]:
    with _closed_on_error(to):
        way = _way(to)
        places = _send(to, questions, way)
        if commit:
            to.pgconn.send_query_params(b"COMMIT", None)
        to.pgconn.pipeline_sync()
        results = to.wait(_results(to.pgconn))
        to.pgconn.exit_pipeline_mode()
        del _open[to]
    _known(to).names.update(name for place, name in way.preparing.items() if results[place].status in SOUND)
    for result in results:
        if result.status not in SOUND:
            raise _refusal(result, to)
    return [_rows(way.values, results[place]) for place in places]


def _refusal(result: Any, to: "psycopg.Connection[Any]") -> psycopg.Error:
    error = error_from_result(result, to.info.encoding)
    if error.sqlstate == UNPREPARED:
        prepare_anew(to)
    return error


def prepare_anew(to: "psycopg.Connection[Any]") -> None:
    """Take nothing for prepared on this connection."""
    _prepared[to] = _Known(_known(to).losses + 1)


def _known(to: "psycopg.Connection[Any]") -> _Known:
    return _prepared.setdefault(to, _Known())


def _send(to: "psycopg.Connection[Any]", questions: Iterable[Question], way: _Way) -> list[int]:
    """Send all of them; the place of each one's result among all results that are on their way."""
    known, places = _known(to), []
    if to.pgconn.transaction_status == TransactionStatus.IDLE and not to.autocommit:
        to.pgconn.send_query_params(b"BEGIN", None)
        way.place += 1
    for statement, given in questions:
        name, text = _named(statement, known.losses)
        if name not in known.names and name not in way.preparing.values():
            to.pgconn.send_prepare(name, text)
            way.preparing[way.place] = name
            way.place += 1
        to.pgconn.send_query_prepared(name, way.values.dump_sequence(given, [PyFormat.TEXT] * len(given)))
        places.append(way.place)
        way.place += 1
    return places


@lru_cache(maxsize=1000)
def _named(statement: str, losses: int) -> tuple[bytes, bytes]:
    """A name for the statement on the server, and its text with numbered places for the values."""
    first, *rest = statement.split("%s")
    text = first + "".join(f"${number}{part}" for number, part in enumerate(rest, 1))
    return f"fsf_{losses}_{blake2b(statement.encode(), digest_size=12).hexdigest()}".encode(), text.encode()


def _results(pgconn: Any) -> Generator[Wait, Ready | int, list[Any]]:
    """Everything that is answered up to the end of what was sent."""
    yield from _flushed(pgconn)
    found: list[Any] = []
    while True:
        while pgconn.is_busy():
            yield Wait.R
            pgconn.consume_input()
        result = pgconn.get_result()
        if result is not None and result.status == ExecStatus.PIPELINE_SYNC:
            return found
        if result is not None:
            found.append(result)
        elif pgconn.status == ConnStatus.BAD:
            raise psycopg.OperationalError("the connection to the database was lost")


def _flushed(pgconn: Any) -> Generator[Wait, Ready | int, None]:
    """Send what libpq still holds back, and take what comes meanwhile, or both sides might wait."""
    while pgconn.flush():
        if (yield Wait.RW) & Ready.R:
            pgconn.consume_input()


def _rows(values: Any, result: Any) -> Rows:
    values.set_pgresult(result)
    found: Rows = values.load_rows(0, result.ntuples, tuple)
    return found


def _tell_wrappers(sql: str, params: Sequence[object]) -> None:
    """Show a statement to whoever watches or refuses those of the connection (`connection.execute_wrapper`, `connection.queries`)."""
    if connection.queries_logged:
        connection.queries_log.append({"sql": sql, "time": "0.000"})
    execute: Any = _nothing
    for wrapper in reversed(connection.execute_wrappers):
        execute = _wrapped(wrapper, execute)
    execute(sql, params, False, {"connection": connection, "cursor": None})


def _nothing(*_: object) -> None:
    """Where the chain of wrappers ends: the statement goes with others."""


def _wrapped(wrapper: Any, execute: Any) -> Any:
    return lambda *given: wrapper(execute, *given)
