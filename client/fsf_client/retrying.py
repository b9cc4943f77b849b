"""When an exchange is tried again, and how long it waits: connection faults, 429 and 5xx, never longer than the caller's patience."""

import datetime as dt
import email.utils
import random
import time
from http import HTTPStatus

from fsf_client.transport import Answer, NoAnswer, Request, Wire

FIRST_WAIT = 0.25  # seconds; doubled at each try
LONGEST_WAIT = 8.0


class Unreachable(Exception):
    """The server gave no usable answer for as long as the caller had patience; nothing is known of what it stored."""


def ask(wire: Wire, request: Request, *, patience: float, slowed: float = 0.0) -> Answer:
    """The first answer that is not a passing failure; raises Unreachable after `patience` seconds. 0 means one try.

    A server that asks for fewer requests (429 with Retry-After) is not away: its waits count against `slowed` first.
    """
    until, tries = time.monotonic() + patience, 0
    while True:
        answer, reason = _tried(wire, request)
        if answer is not None and not passing(answer):
            return answer
        pause = wait(tries, _asked(answer), random.random())  # noqa: S311 - spreads retries
        if _is_slowed(answer) and pause <= slowed:
            slowed, until = slowed - pause, until + pause
        elif time.monotonic() + pause > until:
            raise Unreachable(reason + (f" ({tries + 1} tries)" if tries else ""))
        time.sleep(pause)
        tries += 1


def _asked(answer: Answer | None) -> float | None:
    return None if answer is None else asked_wait(answer)


def _is_slowed(answer: Answer | None) -> bool:
    return answer is not None and answer.status == HTTPStatus.TOO_MANY_REQUESTS


def _tried(wire: Wire, request: Request) -> tuple[Answer | None, str]:
    try:
        answer = wire.exchange(request)
    except NoAnswer as wrong:
        return None, str(wrong)
    return answer, f"{wire.url} answered {answer.status}{_said(answer)}"


def _said(answer: Answer) -> str:
    content = answer.content
    detail = content.get("detail") if isinstance(content, dict) else None
    later = asked_wait(answer)
    return (f": {detail}" if detail else "") + (f" (asks to wait {later:g} s)" if later else "")


def passing(answer: Answer) -> bool:
    """Whether the same request may be answered otherwise a little later."""
    return answer.status in {408, 425, 429} or answer.status >= 500 or (answer.status == 409 and "retry-after" in answer.headers)


def asked_wait(answer: Answer) -> float | None:
    """Seconds that Retry-After asks for, given as a number or as a date; None where it is not said or cannot be read."""
    text = answer.headers.get("retry-after", "").strip()
    if text.isdecimal() and text.isascii() and len(text) < 9:
        return float(text)
    moment = _moment(text)
    return None if moment is None else max(0.0, (moment - dt.datetime.now(dt.UTC)).total_seconds())


def _moment(text: str) -> dt.datetime | None:
    try:
        moment = email.utils.parsedate_to_datetime(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)


def wait(tries: int, asked: float | None, luck: float) -> float:
    """Seconds before the next try: what the server asked for, or a doubling time; `luck` in 0..1 keeps clients from moving in step."""
    grown = min(LONGEST_WAIT, FIRST_WAIT * 2 ** min(tries, 10))
    return grown * (0.5 + luck / 2) if asked is None else asked + luck * FIRST_WAIT
