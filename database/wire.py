"""Several statements by one way to PostgreSQL and back, past the cursors, which talk to it for each: psycopg's `pq` and its pipeline mode.

A statement is prepared once for a connection. psycopg takes all that is prepared away where a savepoint was rolled back: the next
exchange is then refused with `UNPREPARED`, and the whole transaction succeeds when it is made again. Values go as text and take the
types that the statement gives them, so it must say those that do not follow from its columns (`%s::bigint[]`).
"""

import datetime as dt
from collections.abc import Generator, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import blake2b
from typing import Any
from weakref import WeakKeyDictionary

import psycopg
from django.db import DEFAULT_DB_ALIAS, connections
from psycopg.adapt import AdaptersMap, PyFormat, Transformer
from psycopg.errors import error_from_result
from psycopg.pq import ConnStatus, ExecStatus, TransactionStatus
from psycopg.types.datetime import TimestamptzLoader
from psycopg.waiting import Ready, Wait

Question = tuple[str, Sequence[object]]  # a statement and its values
Rows = list[tuple[Any, ...]]
UNPREPARED = "26000"  # SQLSTATE: the server knows no statement of this name
SOUND = {ExecStatus.COMMAND_OK, ExecStatus.TUPLES_OK}


@dataclass(slots=True)
class _Way:
    """What is on its way to the server and was not answered yet."""

    preparing: dict[int, bytes] = field(default_factory=dict)  # by the place of its result, the name of what is prepared
    place: int = 0


@dataclass(slots=True)
class _Known:
    """What writes and reads the values of a connection, what is on its way, and what is prepared; after a loss under new names, for some
    of it may be there."""

    values: Any  # psycopg's Transformer
    way: _Way | None = None
    losses: int = 0
    names: set[bytes] = field(default_factory=set)


_connections: "WeakKeyDictionary[psycopg.Connection[Any], _Known]" = WeakKeyDictionary()


def exchange(questions: Sequence[Question], *, commit: bool = False, past: object = None) -> list[Rows]:
    """What each statement answers, in order; the first that is refused is raised as the ORM raises it, and none after it is run.

    With `commit` the transaction is committed with them, which the block of Django's around it finds done. They are shown to every wrapper
    of the connection's statements but the one that they go `past`.
    """
    here = _ready(questions, past)
    with here.wrap_database_errors:
        return _exchange(here.connection, questions, commit=commit)


def send_off(questions: Sequence[Question], *, past: object = None) -> None:
    """Have the server do these while we do something else; what it refuses is raised by the next `exchange`, which must come before
    anybody else talks to it, or `call_off`."""
    here = _ready(questions, past)
    to = here.connection
    with here.wrap_database_errors:
        known = _known(to)
        written = _written(questions, known)
        try:
            _send(to, written, known)
            to.pgconn.flush()  # what it cannot take at once goes with the next exchange
        except BaseException:
            _close(to)
            raise


def is_under_way() -> bool:
    """Whether something was sent off and its answer not awaited yet."""
    to = connections[DEFAULT_DB_ALIAS].connection
    return to is not None and _known(to).way is not None


def call_off() -> None:
    """Wait until what was sent off is done, whatever comes of it: the transaction is given up."""
    with suppress(psycopg.Error):
        _exchange(connections[DEFAULT_DB_ALIAS].connection, (), commit=False)


def _ready(questions: Iterable[Question], past: object) -> Any:
    """Django's side of the connection, which every other wrapper was shown these by."""
    here = connections[DEFAULT_DB_ALIAS]
    here.ensure_connection()
    here.validate_no_broken_transaction()
    wrappers = [each for each in here.execute_wrappers if each is not past]
    if wrappers or here.queries_logged:
        for each in questions:
            _tell(here, wrappers, *each)
    return here


def _close(to: "psycopg.Connection[Any]") -> None:
    """Give a connection up of which nobody knows what is still on its way."""
    _known(to).way = None
    to.close()


def _exchange(to: "psycopg.Connection[Any]", questions: Sequence[Question], *, commit: bool) -> list[Rows]:
    known = _known(to)
    written = _written(questions, known)
    try:
        places = _send(to, written, known)
        if commit:
            to.pgconn.send_query_params(b"COMMIT", None)
        to.pgconn.pipeline_sync()
        results = to.wait(_results(to.pgconn))
        to.pgconn.exit_pipeline_mode()
    except BaseException:
        _close(to)
        raise
    _end(known, results)
    for result in results:
        if result.status not in SOUND:
            raise _refusal(result, to)
    return [_rows(known.values, results[place]) for place in places]


def _end(known: _Known, results: Sequence[Any]) -> None:
    """Note what is prepared by now, and that nothing is on its way."""
    way, known.way = known.way, None
    if way is not None and way.preparing:
        known.names.update([name for place, name in way.preparing.items() if results[place].status in SOUND])


def _refusal(result: Any, to: "psycopg.Connection[Any]") -> psycopg.Error:
    error = error_from_result(result, to.info.encoding)
    if error.sqlstate == UNPREPARED:
        prepare_anew(to)
    return error


def prepare_anew(to: "psycopg.Connection[Any]") -> None:
    """Take nothing for prepared on this connection."""
    known = _known(to)
    known.losses, known.names = known.losses + 1, set()


def _known(to: "psycopg.Connection[Any]") -> _Known:
    if (known := _connections.get(to)) is None:
        known = _connections[to] = _Known(_values(to))
    return known


def _values(to: "psycopg.Connection[Any]") -> Any:
    """As Django has the connection's values written and read. A moment in UTC is read so by psycopg itself, in an eighth of the time.

    It does not know the connection, so that it keeps none alive: Django has every one speak UTF-8, and psycopg reads ISO dates only.
    """
    adapters = AdaptersMap(to.adapters)
    if connections[DEFAULT_DB_ALIAS].timezone is dt.UTC:
        adapters.register_loader("timestamptz", TimestamptzLoader)
    return Transformer(adapters)


def _written(questions: Iterable[Question], known: _Known) -> list[tuple[str, Any]]:
    """The statements with their values as they are sent; what cannot be written is raised before anything is on its way."""
    written = []
    for statement, given in questions:
        told = [_listed(value) if type(value) is list else value for value in given] if list in map(type, given) else given
        written.append((statement, known.values.dump_sequence(told, [PyFormat.TEXT] * len(told))))
    return written


def _send(to: "psycopg.Connection[Any]", written: Iterable[tuple[str, Any]], known: _Known) -> list[int]:
    """Send all of them; the place of each one's result among all results that are on their way."""
    way, places = known.way or _opened(to, known), []
    for statement, values in written:
        name, text = _named(statement, known.losses)
        if name not in known.names and name not in way.preparing.values():
            to.pgconn.send_prepare(name, text)
            way.preparing[way.place] = name
            way.place += 1
        to.pgconn.send_query_prepared(name, values)
        places.append(way.place)
        way.place += 1
    return places


def _opened(to: "psycopg.Connection[Any]", known: _Known) -> _Way:
    """A new way, which begins with the transaction where none is begun."""
    begun = to.autocommit or to.pgconn.transaction_status != TransactionStatus.IDLE
    to.pgconn.enter_pipeline_mode()
    way = known.way = _Way()
    if not begun:
        to.pgconn.send_query_params(b"BEGIN", None)
        way.place += 1
    return way


def _listed(values: list[Any]) -> object:
    """A list of whole numbers, or of texts without signs that mean something there, as PostgreSQL reads it; any other is psycopg's to
    write, which looks at each value."""
    kinds = set(map(type, values))
    if kinds == {int}:
        return f"{{{','.join(map(str, values))}}}"
    if kinds == {str}:
        whole = "".join(values)
        if '"' not in whole and "\\" not in whole:
            return '{"' + '","'.join(values) + '"}'
    return values


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


def _tell(here: Any, wrappers: Sequence[Any], sql: str, params: Sequence[object]) -> None:
    """Show a statement to whoever watches or refuses those of the connection (`connection.execute_wrapper`, `connection.queries`)."""
    if here.queries_logged:
        here.queries_log.append({"sql": sql, "time": "0.000"})
    execute: Any = _nothing
    for wrapper in reversed(wrappers):
        execute = _wrapped(wrapper, execute)
    execute(sql, params, False, {"connection": here, "cursor": None})


def _nothing(*_: object) -> None:
    """Where the chain of wrappers ends: the statement goes with others."""


def _wrapped(wrapper: Any, execute: Any) -> Any:
    return lambda *given: wrapper(execute, *given)
