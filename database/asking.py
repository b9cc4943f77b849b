"""Asking and telling PostgreSQL several things at once: what is told waits for the next question, what will be asked is asked ahead."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar, cast

from django.db import DEFAULT_DB_ALIAS, DatabaseError, connection, connections

from database.wire import UNPREPARED, Question, Rows, call_off, exchange, is_under_way
from database.wire import send_off as send

# The plan of a prepared statement is kept: making one for the values at hand took longer than the statement itself.
PLANNED_ONCE: Question = ("SET LOCAL plan_cache_mode = force_generic_plan", ())
Answer = TypeVar("Answer")
_waiting: ContextVar[list[Question] | None] = ContextVar("waiting", default=None)
_ahead: ContextVar[dict[tuple[str, str], Rows] | None] = ContextVar("ahead", default=None)


def is_quick() -> bool:
    """Whether the database takes these statements; not kept, for a rehearsal has one of its own for a while."""
    return bool(connections[DEFAULT_DB_ALIAS].vendor == "postgresql")


def ask(statement: str, *values: object) -> Rows:
    """The rows that a statement answers."""
    return ask_all((statement, values))[0]


def _ask_plainly(statement: str, values: Sequence[object]) -> Rows:
    with connection.cursor() as cursor:
        cursor.execute(statement, cast(Any, values))
        return cursor.fetchall() if cursor.description else []


def ask_all(*questions: Question) -> list[Rows]:
    """The rows that each of several statements answers; inside `together` by one way to the database and back, with what was told and
    waits, but for those at hand that were asked for ahead."""
    if _waiting.get() is None:
        return [_ask_plainly(*question) for question in questions]
    found: list[Any] = [_from_ahead(*question) for question in questions]
    if None not in found:
        return found
    told, left = _taken(), [question for question, rows in zip(questions, found, strict=True) if rows is None]
    rest = iter(exchange([*told, *left], past=_after_what_waits)[len(told) :])
    return [next(rest) if rows is None else rows for rows in found]


@contextmanager
def asked_ahead(questions: Sequence[Question]) -> Iterator[None]:
    """Inside, the first `ask` of each of these statements with the same values is answered by what all of them were answered at once.

    They are guesses: what nobody asks is wasted, and from what is asked otherwise on all is asked then. Use it inside `together`, and give
    them in the order in which they are asked.
    """
    if not questions or not is_quick():
        yield
        return
    _, *found = exchange([PLANNED_ONCE, *questions], past=_after_what_waits)
    token = _ahead.set({_name(*question): rows for question, rows in zip(questions, found, strict=True)})
    try:
        yield
    finally:
        _ahead.reset(token)


def _from_ahead(statement: str, values: Sequence[object]) -> Rows | None:
    """What was answered ahead. Once something else is asked, or by the ORM, all that is left is forgotten: the way is not the one that
    was foreseen, and a row may have been written since."""
    ahead = _ahead.get()
    if not ahead:
        return None
    found = ahead.pop(_name(statement, values), None)
    if found is None:
        ahead.clear()
    return found


def _name(statement: str, values: Sequence[object]) -> tuple[str, str]:
    return statement, repr(list(values))


def tell(statement: str, *values: object) -> None:
    """Have the database do something; inside `together` it waits for the next statement and goes with it."""
    if (waiting := _waiting.get()) is not None:
        waiting.append((statement, values))
    else:
        _ask_plainly(statement, values)


def with_statements_prepared(attempt: Callable[[], Answer]) -> Answer:
    """What an attempt at a transaction returns; it is made again where the server knew its statements no more."""
    try:
        return attempt()
    except DatabaseError as wrong:
        if getattr(wrong.__cause__, "sqlstate", None) != UNPREPARED:
            raise
    return attempt()


@contextmanager
def together(*, commit: bool = False) -> Iterator[None]:
    """Inside, what is told goes to the database with the next statement, whoever makes that, so that one answer is awaited and not
    many; at the end whatever is left goes. What is refused is raised by the statement that it went with.

    Use it inside a transaction that is made `with_statements_prepared`; where the block raises, what
    still waited is dropped, for then nothing else is kept either. With `commit` the commit goes with what is left, where the block
    around is the outermost one.
    """
    if not is_quick() or _waiting.get() is not None:
        yield
        return
    token, here = _waiting.set([]), connections[DEFAULT_DB_ALIAS]
    try:
        with here.execute_wrapper(_after_what_waits):
            yield
        left = _taken()
        if left or is_under_way():
            exchange(left, commit=commit and len(here.atomic_blocks) == 1)
    finally:
        _waiting.reset(token)
        if is_under_way():
            call_off()


def send_off() -> None:
    """What was told so far goes now, so that the database works on it meanwhile; nobody waits for its answer yet."""
    if waiting := _taken():
        send(waiting, past=_after_what_waits)


def send_waiting() -> None:
    """Send what was told and waits, and await all answers; for whoever talks to the database past Django's cursors."""
    waiting = _taken()
    if waiting or is_under_way():
        exchange(waiting, past=_after_what_waits)


def _taken() -> list[Question]:
    """What waits, which waits no more."""
    waiting = _waiting.get() or []
    taken = list(waiting)
    waiting.clear()
    return taken


def _after_what_waits(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: dict[str, Any]) -> Any:  # noqa: FBT001 - Django's
    if context["cursor"] is not None:
        (_ahead.get() or {}).clear()
        send_waiting()
    return execute(sql, params, many, context)
