"""The short way of a plain post to /api/v1/runs/: past the request objects, the middleware and the view, which cost more than the post.

It is taken only on PostgreSQL, for a post that says nothing but its token and one JSON document, by a token that this process proved a
moment ago (`accounts.proven`; its row is asked for again in the transaction that stores the run). It answers what was stored. Whatever
else comes of it, and every refusal, is left to the ordinary way, which is given the same request and finds nothing done; it is also the
measure: both must give the same status, headers and body (`tests/api/test_shortcut.py`).
"""

import datetime as dt
import io
import logging
from collections.abc import Callable, Iterable
from functools import cached_property
from http import HTTPStatus
from itertools import product
from typing import Any

from django.conf import settings
from django.core.exceptions import MiddlewareNotUsed
from django.core.handlers.wsgi import WSGIRequest
from django.db import close_old_connections
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.utils import timezone
from django.utils.module_loading import import_string

from accounts.proven import Proof, prove_from_memory
from accounts.roles import Refused
from alerts.tasks import nudge
from crises.response import Answer
from database.asking import is_quick
from evals.storing import Posted
from evals.strict_json import NotStrict, read
from evals.submissions import InvalidSubmission, Submission, parse
from fsf.api import conditional, request_ids
from fsf.api.authentication import address_behind
from fsf.api.gathering import receive_gathered
from fsf.api.rate_limit import count_token
from fsf.api.runs import Runs
from fsf.api.strict_json import JSONRenderer
from thresholds.statistics import InvalidMeasurement

PATH, DOOR, SCOPE = "/api/v1/runs/", "fsf.paths.ApiDoor", "runs:write"
CREATED, REPEATED = (f"{status.value} {status.phrase}" for status in (HTTPStatus.CREATED, HTTPStatus.OK))
MOST_FRAMES = 100
FRAME = (
    "wsgi.url_scheme",
    "HTTP_HOST",
    "SERVER_NAME",
    "SERVER_PORT",
    "HTTP_X_FORWARDED_HOST",
    "HTTP_X_FORWARDED_PROTO",
    "HTTP_X_FORWARDED_PORT",
)
Environ = dict[str, Any]
Headers = list[tuple[str, str]]
Application = Callable[[Environ, Callable[..., Any]], Iterable[bytes]]
PLAIN: dict[str, set[str | None]] = {
    "REQUEST_METHOD": {"POST"},
    "QUERY_STRING": {"", None},
    "CONTENT_TYPE": {"application/json"},
    "HTTP_ACCEPT": {"*/*", "application/json", None},
    "HTTP_IDEMPOTENCY_KEY": {None},
    "HTTP_TRANSFER_ENCODING": {None},
    "HTTP_CONTENT_ENCODING": {None},
}
PLAINLY = frozenset(product(*PLAIN.values()))  # all that a plain request may say under these names
REFUSALS = (Refused, InvalidSubmission, InvalidMeasurement)
logger = logging.getLogger(__name__)
_renderer, _view = JSONRenderer(), Runs()
_view.setup(WSGIRequest({"REQUEST_METHOD": "POST", "wsgi.input": io.BytesIO()}))
_constant = list(_view.default_response_headers.items())


class Shortcut:
    """A WSGI application before another: it answers plain posts, and leaves all else to it."""

    def __init__(self, application: Application) -> None:
        self._application = application
        self._frames: dict[tuple[object, ...], Headers | None] = {}

    def __call__(self, environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Answer the request, or have it answered."""
        if environ.get("PATH_INFO") != PATH or not is_plain(environ):
            return self._application(environ, start_response)
        try:
            proven = self._proven(environ, timezone.now())
            if proven is None:
                return self._application(environ, start_response)
            body = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
            answered = self._answered(environ, proven, body)
        finally:
            close_old_connections()
            request_ids.end()
        if answered is None:
            return self._application({**environ, "wsgi.input": io.BytesIO(body)}, start_response)
        status, headers, content = answered
        start_response(status, headers)
        return [content]

    def _proven(self, environ: Environ, now: dt.datetime) -> tuple[Proof, Headers] | None:
        """By whom, from the headers alone, and what comes with the answer; nobody unproven makes this way wait for a body."""
        proof = _proof_of(environ, now)
        frame = None if proof is None else self._frame(environ)
        return None if proof is None or frame is None else (proof, frame)

    def _answered(self, environ: Environ, proven: tuple[Proof, Headers], body: bytes) -> tuple[str, Headers, bytes] | None:
        """The answer, or None where nothing was stored."""
        proof, frame = proven
        submission = _read(body)
        if submission is None:
            return None
        number = request_ids.begin(environ)
        answer = _stored(environ, submission, proof)
        if answer is None:
            return None
        return CREATED if answer.created else REPEATED, _headers(environ, answer, number, frame), _renderer.render(answer.reply)

    def _frame(self, environ: Environ) -> Headers | None:
        """What the middleware above the API says with every answer to this host by this scheme; None where it answers by itself."""
        name = tuple(map(environ.get, FRAME))
        if (frame := self._frames.get(name)) is None:
            frame = self._framed(environ)
            if len(self._frames) >= MOST_FRAMES:
                self._frames.clear()
            self._frames[name] = frame
        return frame

    def _framed(self, environ: Environ) -> Headers | None:
        request = WSGIRequest({**environ, "wsgi.input": io.BytesIO()})
        try:
            request.get_host()
            response = self._above(request)
        except Exception:  # noqa: BLE001 - the ordinary way says what is wrong
            return None
        return list(response.items()) if response.status_code == HTTPStatus.ACCEPTED else None

    @cached_property
    def _above(self) -> Callable[[Any], HttpResponseBase]:
        """The middleware down to the API's door, around an answer that says nothing."""
        chain: Callable[[Any], HttpResponseBase] = _silent
        for name in reversed(settings.MIDDLEWARE[: settings.MIDDLEWARE.index(DOOR)]):
            try:
                chain = import_string(name)(chain)
            except MiddlewareNotUsed:
                continue
        return chain


def _silent(_: object) -> HttpResponse:
    response = HttpResponse(status=HTTPStatus.ACCEPTED)
    del response["Content-Type"]
    return response


def is_plain(environ: Environ) -> bool:
    """Whether a request says nothing but its token and one JSON document of a usual size."""
    length = environ.get("CONTENT_LENGTH") or ""
    sized = length.isdecimal() and len(length) < 10 and 0 < int(length) <= settings.DATA_UPLOAD_MAX_MEMORY_SIZE
    return sized and tuple(map(environ.get, PLAIN)) in PLAINLY and is_quick()


def _proof_of(environ: Environ, now: dt.datetime) -> Proof | None:
    """The proof of a token that may post; None where the ordinary way must look."""
    word, _, text = environ.get("HTTP_AUTHORIZATION", "").partition(" ")
    if word.lower() != "bearer":
        return None
    proof = prove_from_memory(text=text.strip(), now=now, address=address_behind(environ))
    return proof if proof is not None and SCOPE in proof.bearer.scopes else None


def _read(body: bytes) -> Submission | None:
    """The run in a body; None where the ordinary way must say what is wrong with it."""
    try:
        content = read(body)
        return parse(content) if isinstance(content, dict) else None
    except (NotStrict, InvalidSubmission):
        return None


def _stored(environ: Environ, submission: Submission, proof: Proof) -> Answer | None:
    """What the post is answered; None where it was refused, for it is refused again."""
    try:
        count_token(environ, proof.bearer.key, timezone.now())
        answer = receive_gathered(Posted(submission, proof.bearer.actor, proof))
    except REFUSALS:
        return None
    except Exception:
        logger.warning("a post is tried again by the ordinary way", exc_info=True)
        return None
    if answer.ring:
        nudge()
    return answer


def _headers(environ: Environ, answer: Answer, number: str, frame: Headers) -> Headers:
    """As the view, the API's door and the middleware write them, in their order."""
    number_of_run = answer.reply["id"]
    return [
        ("Content-Type", JSONRenderer.media_type),
        *([] if number_of_run is None else [("Location", f"{PATH}{number_of_run}/")]),
        *_constant,
        *environ.get("fsf.rate", {}).items(),
        ("Cache-Control", conditional.NEVER),
        (request_ids.HEADER, number),
        *frame,
    ]
