"""The pages that a problem's `type` points to: for a browser as HTML, for everyone else as JSON."""

from collections.abc import Mapping
from typing import Any

from django.http import Http404
from django.template.loader import render_to_string
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from fsf.api.problems import CODES, address_of, answers
from fsf.api.strict_json import JSONRenderer


class ProblemPage(BaseRenderer):
    """Writes what is to be known of one code, or of all, as a page."""

    media_type = "text/html"
    format = "html"

    def render(self, data: Any, accepted_media_type: str | None = None, renderer_context: Mapping[str, Any] | None = None) -> str:
        return render_to_string("api/problems.html", {"codes": data if isinstance(data, list) else [data], "one": isinstance(data, dict)})


class ErrorCode(serializers.Serializer[Any]):
    code = serializers.ChoiceField(list(CODES))
    status = serializers.IntegerField()
    title = serializers.CharField()
    detail = serializers.CharField(help_text="what to do")
    type = serializers.URLField(help_text="of the problems with this code")


def _about(code: str) -> dict[str, Any]:
    status, title, what_to_do = CODES[code]
    return {"code": code, "status": status, "title": title, "detail": what_to_do, "type": address_of(code)}


class Problems(APIView):
    authentication_classes = ()
    permission_classes = ()
    renderer_classes = (JSONRenderer, ProblemPage)

    @extend_schema(responses={200: ErrorCode(many=True), **answers(404, 406)}, tags=["problems"], auth=[], operation_id="problems_list")
    def get(self, request: Request) -> Response:
        """Every error code with its status and what to do."""
        return Response([_about(code) for code in CODES])


class OneProblem(Problems):
    @extend_schema(responses={200: ErrorCode, **answers(404, 406)}, tags=["problems"], auth=[], operation_id="problems_retrieve")
    def get(self, request: Request, code: str) -> Response:  # type: ignore[override]  # one of them
        """One error code."""
        if code not in CODES:
            raise Http404
        return Response(_about(code))
