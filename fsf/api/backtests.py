"""What a framework version, stored or not yet, would have said of all stored results."""

from typing import Any

from django.http import Http404
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from fsf.api.problems import answers
from fsf.api.reach import whole
from fsf.api.shapes import Strict
from thresholds.agreement import VERDICTS
from thresholds.backtest import backtest, backtest_file
from thresholds.library import FrameworkFile, InvalidFramework
from thresholds.library.reading import read_text
from thresholds.models import Framework
from thresholds.publishing import find_framework


class ReplayedShape(serializers.Serializer[Any]):
    """One checkpoint at one level."""

    checkpoint = serializers.CharField(help_text="slug")
    checkpoint_name = serializers.CharField()
    developer = serializers.CharField()
    level = serializers.CharField(help_text="slug")
    level_name = serializers.CharField()
    binding = serializers.BooleanField(help_text="false where the framework only compares")
    runs = serializers.IntegerField(help_text="readings of this place")
    alert = serializers.DateField(allow_null=True, help_text="first day at alert or above")
    critical = serializers.DateField(allow_null=True, help_text="first day at critical")
    state = serializers.CharField(help_text="where it would stand")
    reading_state = serializers.CharField(help_text="what the evidence alone says")
    missing = serializers.ListField(child=serializers.CharField())
    message = serializers.CharField(allow_blank=True)
    today = serializers.CharField(allow_null=True, help_text="state by the version in force; null where that has no such level")
    changes = serializers.BooleanField()
    carried = serializers.BooleanField(help_text="today's state would be carried over until it is signed down")


class WhyShape(serializers.Serializer[Any]):
    code = serializers.CharField()
    text = serializers.CharField()


class ComparedShape(serializers.Serializer[Any]):
    """One published determination beside our reading."""

    checkpoint = serializers.CharField(help_text="slug")
    checkpoint_name = serializers.CharField()
    developer = serializers.CharField()
    level = serializers.CharField(help_text="slug")
    level_name = serializers.CharField()
    version = serializers.CharField(help_text="key of the framework version that the lab spoke of")
    stated = serializers.DateField()
    status = serializers.CharField()
    state = serializers.CharField(help_text="our reading by this version")
    verdict = serializers.ChoiceField(VERDICTS)
    reasons = WhyShape(many=True)
    source = serializers.CharField()  # type: ignore[assignment]  # a field of that name


class AgreementShape(serializers.Serializer[Any]):
    agrees = serializers.IntegerField()
    differs = serializers.IntegerField()
    not_read = serializers.IntegerField()


class BacktestShape(serializers.Serializer[Any]):
    framework = serializers.CharField(help_text="key")
    title = serializers.CharField()
    developer = serializers.CharField()
    at = serializers.DateTimeField()
    against = serializers.CharField(allow_blank=True, help_text="key of the version in force today; empty where there is none")
    runs = serializers.IntegerField(help_text="stored runs that its lines read")
    first = serializers.DateField(allow_null=True)
    last = serializers.DateField(allow_null=True)
    changes = serializers.IntegerField()
    replayed = ReplayedShape(many=True)
    compared = ComparedShape(many=True)
    agreement = serializers.DictField(child=AgreementShape(), help_text="by lab")
    unjudged = serializers.ListField(child=serializers.CharField(), help_text="runs that could not be judged, and why")


class BacktestBody(Strict):
    content = serializers.CharField(help_text="a framework file: YAML or JSON", trim_whitespace=False)


class BacktestVersion(APIView):
    scopes = {"GET": "read"}

    @extend_schema(responses={200: BacktestShape, **answers(404)}, operation_id="frameworks_backtest", tags=["frameworks"])
    def get(self, request: Request, framework: str) -> Response:
        """Replay all stored results against the lines of a stored version, draft or published."""
        whole(request, "A backtest is")
        try:
            found = find_framework(framework)
        except Framework.DoesNotExist as none:
            raise Http404 from none
        return Response(backtest(framework=found, now=timezone.now()).as_dict())


class BacktestFile(APIView):
    scopes = {"POST": "catalogue:write"}

    @extend_schema(
        request=BacktestBody,
        responses={200: BacktestShape, **answers(400, 409)},
        operation_id="frameworks_backtest_file",
        tags=["frameworks"],
    )
    def post(self, request: Request) -> Response:
        """Replay all stored results against a framework file; nothing is stored."""
        whole(request, "A backtest is")
        body = BacktestBody(data=request.data)
        body.is_valid(raise_exception=True)
        return Response(backtest_file(content=_read(body.validated_data["content"]), now=timezone.now()).as_dict())


def _read(text: str) -> FrameworkFile:
    """The content of a framework file; every fault is told with its line."""
    try:
        return read_text(text, "content")
    except InvalidFramework as wrong:
        faults = [ErrorDetail(f"line {line}: {fault}" if line else str(fault), "invalid_framework") for line, fault in wrong.faults]
        raise serializers.ValidationError({"content": faults}) from wrong
