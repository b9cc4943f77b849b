"""What goes wrong, in a line on the standard error and an exit code."""

from http import HTTPStatus

from fsf_client.answers import Refused
from fsf_client.cli import REFUSED, SERVER, UNKNOWN, USAGE
from fsf_client.cli.look import warn
from fsf_client.framework import CannotCheck
from fsf_client.outbox import NotJson, OutboxFull
from fsf_client.reading import Unreadable
from fsf_client.retrying import Unreachable
from fsf_client.transport import NotConfigured

CODES: dict[type[Exception], int] = {
    NotConfigured: USAGE,
    NotJson: USAGE,
    Unreadable: USAGE,
    CannotCheck: USAGE,
    OSError: USAGE,
    Unreachable: SERVER,
    OutboxFull: SERVER,
}
BY_STATUS = {HTTPStatus.BAD_REQUEST: USAGE, HTTPStatus.UNAUTHORIZED: USAGE, HTTPStatus.FORBIDDEN: USAGE, HTTPStatus.NOT_FOUND: UNKNOWN}


def exit_code(wrong: Exception) -> int | None:
    """Tell what went wrong; None where it is nothing that was foreseen."""
    code = _refusal(wrong) if isinstance(wrong, Refused) else next((code for kind, code in CODES.items() if isinstance(wrong, kind)), None)
    if code is not None:
        warn(_told(wrong))
    return code


def _told(wrong: Exception) -> str:
    """An error of the operating system as people say it: the file, and what is wrong with it."""
    if isinstance(wrong, OSError) and wrong.strerror:
        return f"{wrong.filename}: {wrong.strerror}" if wrong.filename else wrong.strerror
    return str(wrong)


def _refusal(wrong: Refused) -> int:
    """A question that was refused; posts that are refused are told by their commands."""
    return BY_STATUS.get(HTTPStatus(wrong.status) if wrong.status in set(HTTPStatus) else HTTPStatus.CONFLICT, REFUSED)
