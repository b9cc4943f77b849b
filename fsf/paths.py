"""Keeps the API path lean: the middleware below this one (sessions, CSRF, sign-in, messages) is for people's pages only."""

from collections.abc import Callable

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.urls import resolve

API_PREFIXES = ("/api/v1/", "/healthz", "/readyz")


class ApiDoor:
    """Answers API paths at once: a token is checked by the view itself, and a cookie is never looked at."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Call the view of an API path directly; send every other request on through the web middleware."""
        if not request.path_info.startswith(API_PREFIXES):
            return self.get_response(request)
        request.resolver_match = match = resolve(request.path_info)
        response: HttpResponseBase = match.func(request, *match.args, **match.kwargs)
        return response.render() if hasattr(response, "render") and callable(response.render) else response
