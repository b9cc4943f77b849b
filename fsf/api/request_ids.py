"""Every request has an id: the caller's X-Request-ID where it is sane, or one that is made. Answers, problems and log lines name it."""

import logging
import os
import re
from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any

HEADER = "X-Request-ID"
SANE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/+=@-]{0,127}")
_current: ContextVar[str] = ContextVar("request_id", default="")


def begin(about: Mapping[str, Any]) -> str:
    """The id of the request with this environment, which from here on is the current one."""
    given = about.get("HTTP_X_REQUEST_ID", "")
    found = given if given and SANE.fullmatch(given) else os.urandom(16).hex()
    _current.set(found)
    return found


def current() -> str:
    """The id of the request that is worked on; empty outside of one."""
    return _current.get()


def end() -> None:
    """No request is worked on any more."""
    _current.set("")


class WithRequestId(logging.Filter):
    """Gives each log record a `request_id`, which is `-` outside of requests."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.request_id = _current.get() or "-"
        return True
