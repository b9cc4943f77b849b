"""How long an answer holds: reads carry an ETag and are asked again with If-None-Match; everything else is not to be stored."""

from hashlib import blake2b

from django.http import HttpRequest, HttpResponse, HttpResponseNotModified
from django.http.response import HttpResponseBase
from django.utils.http import parse_etags

ASKED_AGAIN = "private, no-cache"  # may be kept, and must be asked about before it is used again
NEVER = "no-store"
KEPT = ("Cache-Control", "ETag", "Vary", "Content-Location")  # headers that 304 repeats


def settle(request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
    """The answer with its Cache-Control and ETag, or 304 where the caller has it already."""
    if not _is_read(request, response):
        response["Cache-Control"] = NEVER
        return response
    response["Cache-Control"] = ASKED_AGAIN
    response["ETag"] = f'W/"{blake2b(response.content, digest_size=16).hexdigest()}"'  # type: ignore[attr-defined]
    known = parse_etags(request.META.get("HTTP_IF_NONE_MATCH", ""))
    return _not_modified(response) if known == ["*"] or _strong(response["ETag"]) in map(_strong, known) else response


def _is_read(request: HttpRequest, response: HttpResponseBase) -> bool:
    whole = isinstance(response, HttpResponse) and response.status_code == 200
    return whole and request.method in {"GET", "HEAD"} and response.get("Cache-Control") != NEVER


def _strong(etag: str) -> str:
    return etag.removeprefix("W/")


def _not_modified(response: HttpResponseBase) -> HttpResponseNotModified:
    same = HttpResponseNotModified()
    for name, value in response.items():
        if name in KEPT or name.startswith("RateLimit"):
            same[name] = value
    return same
