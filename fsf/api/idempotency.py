"""The Idempotency-Key of a POST, as draft-ietf-httpapi-idempotency-key-header has it: the same request is done once and answered alike.

`OnceOnly` stands behind the permissions of every view: it holds the key, and raises `Replayed` where the request was answered before.
`finish` is called with every answer: it keeps what was done (2xx) and lets the key go. A refusal stored nothing and keeps no key; nor
does a server error. A view may say of itself:

    identified = True       what it stores has an identity of its own, so it brings its own transactions
    most_bytes = 10 ** 7    of the body
    hidden = ("secret",)    fields of the answer that are not kept; a replay has null there
"""

import hashlib
import re
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import dataclass
from tempfile import SpooledTemporaryFile
from typing import Any

import orjson
from django.conf import settings
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils import timezone
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from accounts.roles import EVERYTHING, Actor, Refused
from crises.replies import Key, Reply, find_reply, held, held_in_one_transaction, keep_reply
from fsf.api.authentication import actor_of
from fsf.api.strict_json import TooLarge

HEADER = "Idempotency-Key"
MOST = 255  # characters of a key
QUOTED = re.compile(r'"((?:[ !#-\[\]-~]|\\["\\])+)"')
BARE = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~:/=-]+")
KEPT_HEADERS = ("Content-Type", "Location")
BLOCK = 1 << 16


class KeyInvalid(Refused):
    """The header holds no key."""

    def __init__(self) -> None:
        super().__init__(f'The Idempotency-Key must be a text in quotes, such as "8e03978e40d5": 1 to {MOST} printable ASCII characters.')


class Replayed(Exception):
    """The request was answered before."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(f"answered before with {reply.status}")
        self.reply = reply


class Abandoned(Exception):
    """The request failed without an answer of its own."""


@dataclass(frozen=True, slots=True)
class Held:
    """A key that is held for a request that is worked on."""

    key: Key
    fingerprint: str
    hold: AbstractContextManager[None]
    hidden: tuple[str, ...]
    identified: bool


class OnceOnly(BasePermission):
    """Let a POST with a key pass once, after its token was found to be allowed."""

    def has_permission(self, request: Request, view: object) -> bool:
        text = request.headers.get(HEADER)
        if request.method == "POST" and text is not None:
            _hold(request, view, text)
        return True


def _hold(request: Request, view: object, text: str) -> None:
    actor = actor_of(request)
    key = Key(f"{actor.kind}:{actor.id}", read_key(text))
    most = getattr(view, "most_bytes", settings.DATA_UPLOAD_MAX_MEMORY_SIZE)
    fingerprint = _fingerprint(request._request, actor, most)  # noqa: SLF001 - DRF's own request cannot be read twice
    identified = bool(getattr(view, "identified", False))
    hold = held(key) if identified else held_in_one_transaction(key)
    hold.__enter__()
    request.META["fsf.held"] = Held(key, fingerprint, hold, getattr(view, "hidden", ()), identified)
    if (reply := find_reply(key=key, fingerprint=fingerprint)) is not None:
        raise Replayed(reply)


def read_key(text: str) -> str:
    """The key in a header: a structured-field string, or a bare token; raises KeyInvalid."""
    text = text.strip(" ")
    quoted, bare = QUOTED.fullmatch(text), BARE.fullmatch(text)
    key = re.sub(r'\\(["\\])', r"\1", quoted[1]) if quoted else bare[0] if bare else ""
    if not 1 <= len(key) <= MOST:
        raise KeyInvalid
    return key


def _fingerprint(request: HttpRequest, actor: Actor, most: int) -> str:
    """Hex SHA-256 of what is asked; the body is read once and laid back for the view. Raises TooLarge."""
    digest = hashlib.sha256(f"{request.get_full_path()}\n{_reach(actor)}\n".encode())
    spool: Any = SpooledTemporaryFile(max_size=settings.DATA_UPLOAD_MAX_MEMORY_SIZE)  # noqa: SIM115 - closed by `finish`
    request.META["fsf.spool"] = spool
    size = 0
    while block := request.read(BLOCK):
        size += len(block)
        if size > most:
            raise TooLarge(most)
        digest.update(block)
        spool.write(block)
    spool.seek(0)
    request._stream, request._read_started = spool, False  # type: ignore[attr-defined]  # noqa: SLF001 - Django has no other way back
    return digest.hexdigest()


def _reach(actor: Actor) -> str:
    """What a restricted token reaches: another one must not read its answers."""
    if actor.reach == EVERYTHING:
        return ""
    return f"{sorted(actor.reach.models)} {sorted(actor.reach.evaluations)}"


def replay(reply: Reply) -> HttpResponse:
    """The answer of the first time, marked as such."""
    return HttpResponse(reply.body, status=reply.status, headers={**reply.headers, "Idempotent-Replayed": "true"})


def finish(request: HttpRequest, response: HttpResponseBase) -> None:
    """Keep the answer of a request that holds a key, where something was done, and let the key go; what was refused is rolled back."""
    if (found := _let_go(request)) is None:
        return
    with _left(found.hold):
        if not isinstance(response, HttpResponse) or "Idempotent-Replayed" in response:
            return
        if 200 <= response.status_code < 300 and not getattr(response, "unkept", False):
            keep_reply(key=found.key, fingerprint=found.fingerprint, reply=_kept(response, found.hidden), now=timezone.now())
        elif not found.identified and response.status_code >= 400:
            transaction.set_rollback(True)


def abandon(request: HttpRequest) -> None:
    """Let the key go of a request that failed, and roll back what it did."""
    if (found := _let_go(request)) is not None:
        with suppress(Exception), _left(found.hold):
            raise Abandoned


def _let_go(request: HttpRequest) -> Held | None:
    if (spool := request.META.pop("fsf.spool", None)) is not None:
        spool.close()
    found: Held | None = request.META.pop("fsf.held", None)
    return found


@contextmanager
def _left(hold: AbstractContextManager[None]) -> Iterator[None]:
    """The end of a block that was entered elsewhere."""
    with ExitStack() as stack:
        stack.push(hold)
        yield


def _kept(response: HttpResponse, hidden: tuple[str, ...]) -> Reply:
    body = response.content
    if hidden:
        body = orjson.dumps({**orjson.loads(body), **dict.fromkeys(hidden)})
    return Reply(response.status_code, body, {name: response[name] for name in KEPT_HEADERS if name in response})
