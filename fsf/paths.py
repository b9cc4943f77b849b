"""Keeps the API path lean: the middleware below this one (sessions, CSRF, sign-in, messages) is for people's pages only."""

import logging
from collections.abc import Callable

from django.core.exceptions import SuspiciousOperation
from django.core.signals import got_request_exception
from django.db import DatabaseError
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.urls import Resolver404, resolve

from fsf.api import conditional, idempotency, problems, request_ids

API_PREFIXES = ("/api/v1/", "/healthz", "/readyz")
PROBLEMS = ((Resolver404, problems.not_found), (SuspiciousOperation, problems.bad_address))
logger = logging.getLogger(__name__)


def check_address(request: HttpRequest) -> None:
    """Raise SuspiciousOperation for a host that is not ours (health checks may call by any name) and for NUL characters."""
    if request.path_info.startswith(API_PREFIXES[0]):
        request.get_host()
    if "\x00" in request.path_info or "%00" in request.META.get("QUERY_STRING", ""):
        raise SuspiciousOperation("NUL in the address")


class ApiDoor:
    """Answers API paths at once: a token is checked by the view itself, and a cookie is never looked at."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Call the view of an API path directly; send every other request on through the web middleware."""
        if not request.path_info.startswith(API_PREFIXES):
            return self.get_response(request)
        number = request_ids.begin(request.META)
        try:
            response = conditional.settle(request, self.attempt(request))
        finally:
            request_ids.end()
        response[request_ids.HEADER] = number
        return response

    def attempt(self, request: HttpRequest) -> HttpResponseBase:
        """The answer to an API path, a problem where there is none; the key that the request held is let go."""
        try:
            response = self.answer(request)
            idempotency.finish(request, response)
        except Exception as wrong:  # noqa: BLE001 - nothing may leave this door but an answer
            idempotency.abandon(request)
            return self.told(request, wrong)
        return response

    def told(self, request: HttpRequest, wrong: Exception) -> HttpResponseBase:
        """The problem that an exception is told as; a fault of ours is logged."""
        for kind, tell in PROBLEMS:
            if isinstance(wrong, kind):
                return tell(request)
        got_request_exception.send(sender=type(self), request=request)
        logger.error("the API failed at %s", request.path, exc_info=wrong)
        return problems.unavailable(request) if isinstance(wrong, DatabaseError) else problems.unexpected(request)

    def answer(self, request: HttpRequest) -> HttpResponseBase:
        """What the view of an API path says."""
        check_address(request)
        request.resolver_match = match = resolve(request.path_info)
        response: HttpResponseBase = match.func(request, *match.args, **match.kwargs)
        for name, value in request.META.get("fsf.rate", {}).items():
            response[name] = value
        return response.render() if hasattr(response, "render") and callable(response.render) else response
