"""Errors as RFC 9457 problem details: what was wrong, where, and what to do, under a stable code that `type` explains."""

import logging
from typing import Any

import orjson
from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.db import DatabaseError
from django.http import Http404, HttpRequest, HttpResponse
from rest_framework import exceptions
from rest_framework.response import Response

from accounts.roles import NotAllowed, Refused
from accounts.tokens import InvalidToken
from alerts.outbox import NotQueued
from crises.importing import OlderThanStored
from crises.replies import InFlight, KeyReused
from evals.catalogue import AlreadyRegistered
from evals.heartbeats import RunEnded
from evals.importers import Unreadable
from evals.importers.registry import Unrecognised
from evals.importers.several import NotReached
from evals.ingest import ContentDiffers
from evals.strict_json import NotStrict
from evals.submissions import InvalidSubmission
from fsf.api.idempotency import KeyInvalid, Replayed, replay
from fsf.api.rate_limit import RateLimited
from fsf.api.request_ids import current
from fsf.api.shapes import ProblemShape
from fsf.api.strict_json import JSONRenderer, TooLarge
from thresholds.statistics import InvalidMeasurement

MEDIA_TYPE = "application/problem+json"
CODES = {
    "invalid": (
        400,
        "The body is not a valid submission",
        "Every fault is listed under errors with a JSON pointer; correct them and post again.",
    ),
    "not_json": (400, "The body cannot be read", "Send one UTF-8 JSON document with finite numbers."),
    "bad_address": (400, "The address cannot be read", "Use one of the host names this server is set up for, and no NUL characters."),
    "idempotency_key_invalid": (
        400,
        "The Idempotency-Key cannot be read",
        'Send one text in quotes, such as "8e03978e40d5", of 1 to 255 printable ASCII characters.',
    ),
    "not_authenticated": (401, "A valid token is needed", "Send Authorization: Bearer fsf_... with a live token."),
    "not_allowed": (403, "The token or person may not do this", "Use a token with the scope that the detail names."),
    "not_found": (404, "There is nothing at this address", "Check the name; lists are at the resource's own address."),
    "method_not_allowed": (405, "This address does not take this method", "The Allow header lists those it takes."),
    "not_acceptable": (406, "Only JSON can be answered", "Accept application/json."),
    "content_differs": (409, "Other content is stored under this identity", "To correct a run, name the one it supersedes."),
    "run_ended": (409, "The run is waited for no more", "Send no more signs of it: the detail says what stands, and Location where."),
    "already_registered": (409, "The name is taken by another definition", "Register under another name."),
    "idempotency_in_flight": (
        409,
        "The first request with this Idempotency-Key is still worked on",
        "Send the same request again after Retry-After seconds: it is answered as the first one was.",
    ),
    "too_large": (413, "The body is too large", "Send it in parts: the detail names how much this address takes."),
    "unreadable": (
        400,
        "The file cannot be read",
        "Its format is known and its content is broken, or no log of that kind: the detail says where. Nothing was stored.",
    ),
    "unknown_format": (415, "No importer knows the file", "Send a log or table of a kind that the detail names, or name its format."),
    "not_reached": (422, "The file was not reached", "The files before it in the request took too long. Send it alone."),
    "older_than_stored": (409, "A later state of the run is stored", "Nothing is lost. To correct it all the same, say supersedes."),
    "import_refused": (422, "Every run of the file was refused", "Each item says why, under a code of its own. Nothing was stored."),
    "unsupported_media_type": (
        415,
        "The body's media type is not read here",
        "Send Content-Type: application/json; an import takes application/octet-stream.",
    ),
    "rate_limited": (429, "Too many requests", "Wait Retry-After seconds, then send the same again; a batch counts as one request."),
    "idempotency_key_reused": (
        422,
        "The Idempotency-Key was answered for another request",
        "Take a new key for every new request; only a repeat has the old one.",
    ),
    "refused": (422, "The request was understood and refused", "The detail says why."),
    "unexpected": (500, "Something failed here", "Nothing was stored. Post again; the same body is never stored twice."),
    "unavailable": (
        503,
        "The database did not take this",
        "Nothing was stored. Post again after Retry-After seconds; the same body is never stored twice.",
    ),
}
KNOWN: tuple[tuple[type[BaseException], str], ...] = (
    (InvalidSubmission, "invalid"),
    (ContentDiffers, "content_differs"),
    (RunEnded, "run_ended"),
    (AlreadyRegistered, "already_registered"),
    (RateLimited, "rate_limited"),
    (InvalidToken, "not_authenticated"),
    (KeyInvalid, "idempotency_key_invalid"),
    (InFlight, "idempotency_in_flight"),
    (KeyReused, "idempotency_key_reused"),
    (NotAllowed, "not_allowed"),
    (Unreadable, "unreadable"),
    (Unrecognised, "unknown_format"),
    (NotReached, "not_reached"),
    (OlderThanStored, "older_than_stored"),
    (Refused, "refused"),
    (exceptions.ValidationError, "invalid"),
    (exceptions.ParseError, "not_json"),
    (NotStrict, "not_json"),
    (TooLarge, "too_large"),
    (exceptions.NotAuthenticated, "not_authenticated"),
    (exceptions.AuthenticationFailed, "not_authenticated"),
    (exceptions.PermissionDenied, "not_allowed"),
    (PermissionDenied, "not_allowed"),
    (exceptions.NotFound, "not_found"),
    (Http404, "not_found"),
    (exceptions.MethodNotAllowed, "method_not_allowed"),
    (exceptions.NotAcceptable, "not_acceptable"),
    (exceptions.UnsupportedMediaType, "unsupported_media_type"),
    (DatabaseError, "unavailable"),
    (NotQueued, "unavailable"),
    (InvalidMeasurement, "invalid"),
)
RETRY_AFTER = {"unavailable": "5", "idempotency_in_flight": "1"}  # seconds
logger = logging.getLogger(__name__)


def problem(code: str, detail: str, errors: list[dict[str, str]] | None = None) -> dict[str, Any]:
    """The body of a problem answer."""
    status, title, _ = CODES[code]
    body = {"type": address_of(code), "title": title, "status": status, "code": code, "detail": detail, "request_id": current()}
    return {**body, "errors": errors} if errors else body


def address_of(code: str) -> str:
    """The page that explains a code."""
    return f"{settings.SITE_URL}/api/v1/problems/{code}/"


def answers(*statuses: int) -> dict[tuple[int, str], type[ProblemShape]]:
    """The problems that an operation may answer, as the OpenAPI document lists them."""
    return {(status, MEDIA_TYPE): ProblemShape for status in statuses}


def handle(wrong: Exception, context: dict[str, Any]) -> HttpResponse | None:
    """DRF's exception handler: every known refusal becomes a problem; anything else is a server error further up."""
    if isinstance(wrong, Replayed):
        return replay(wrong.reply)
    code = next((code for kind, code in KNOWN if isinstance(wrong, kind)), None)
    if code is None:
        return None
    context["request"].accepted_renderer = JSONRenderer()  # also where the view answers a page or YAML
    context["request"].accepted_media_type = JSONRenderer.media_type
    if code == "unavailable":
        logger.error("the database refused a request", exc_info=wrong)
    response = Response(problem(code, _detail(wrong, code), _errors(wrong)), status=CODES[code][0], content_type=MEDIA_TYPE)
    for name, value in _headers(wrong, code).items():
        response[name] = value
    return response


def outcome_of(wrong: Exception) -> dict[str, Any]:
    """What an item of a batch that was refused is told: status, code, detail, and where its faults are."""
    code = next((code for kind, code in KNOWN if isinstance(wrong, kind)), "unexpected")
    if CODES[code][0] >= 500:
        logger.error("an item of a batch was not stored", exc_info=wrong)
    errors = _errors(wrong)
    return {"status": CODES[code][0], "code": code, "detail": _detail(wrong, code), **({"errors": errors} if errors else {})}


def _headers(wrong: Exception, code: str) -> dict[str, str]:
    if code == "not_authenticated":
        return {"WWW-Authenticate": 'Bearer realm="fsf"' + (', error="invalid_token"' if isinstance(wrong, InvalidToken) else "")}
    if isinstance(wrong, RateLimited):
        return wrong.headers
    if code in RETRY_AFTER:
        return {"Retry-After": RETRY_AFTER[code]}
    if isinstance(wrong, ContentDiffers | RunEnded):
        return {"Location": f"/api/v1/runs/{wrong.run.pk}/"}
    return {}


def _detail(wrong: Exception, code: str) -> str:
    if isinstance(wrong, InvalidSubmission):
        return f"{len(wrong.errors)} fault{'s' if len(wrong.errors) > 1 else ''} in the body; nothing was stored."
    if isinstance(wrong, exceptions.ValidationError):
        return "The values do not fit; nothing was stored."
    if code in {"not_found", "unavailable"}:
        return CODES[code][2]
    return str(getattr(wrong, "detail", wrong))


def _errors(wrong: Exception) -> list[dict[str, str]] | None:
    if isinstance(wrong, InvalidSubmission):
        return [{"pointer": fault.pointer, "code": fault.code, "detail": fault.detail} for fault in wrong.errors]
    if isinstance(wrong, exceptions.ValidationError):
        return _by_field(wrong.detail if isinstance(wrong.detail, dict) else {"": wrong.detail})
    return None


def _by_field(detail: dict[str, Any]) -> list[dict[str, str]]:
    return [
        {"pointer": _pointer(field), "code": getattr(text, "code", "invalid"), "detail": str(text)}
        for field, texts in detail.items()
        for text in (texts if isinstance(texts, list) else [texts])
    ]


def _pointer(field: str) -> str:
    return "" if field in {"", "non_field_errors"} else "/" + field.replace("~", "~0").replace("/", "~1")


def plain(code: str, detail: str) -> HttpResponse:
    """A problem answer where no DRF view was reached."""
    return HttpResponse(orjson.dumps(problem(code, detail)), status=CODES[code][0], content_type=MEDIA_TYPE)


def not_found(request: HttpRequest) -> HttpResponse:
    """There is no such API address."""
    return plain("not_found", f"There is nothing at {request.path}; the documentation is at /api/v1/docs/.")


def bad_address(request: HttpRequest) -> HttpResponse:
    """The host is none of ours, or no database could look for what the address names."""
    return plain("bad_address", CODES["bad_address"][2])


def unavailable(request: HttpRequest) -> HttpResponse:
    """The database did not take what was done."""
    response = plain("unavailable", CODES["unavailable"][2])
    response["Retry-After"] = RETRY_AFTER["unavailable"]
    return response


def unexpected(request: HttpRequest) -> HttpResponse:
    """A fault of ours, logged where it is caught."""
    return plain("unexpected", CODES["unexpected"][2])
