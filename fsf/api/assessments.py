"""What each run said about each level, and why."""

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.generics import ListAPIView, RetrieveAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from fsf.api.fields import Sparse
from fsf.api.filters import moment, run, text, truth
from fsf.api.paging import NewestFirst
from fsf.api.problems import answers
from fsf.api.reach import within
from thresholds.explained import explained
from thresholds.models import Assessment

ROWS = Assessment.objects.select_related("run", "level__framework", "checkpoint", "inherited__source")
EVALUATION = "run__evaluation__slug"
FILTERS = {
    "run": run("run"),
    "level": text("level__key", "key"),
    "checkpoint": text("checkpoint__slug"),
    "model": text("checkpoint__model__slug"),
    "complete": truth("complete"),
    "since": moment("at__gte", "made at this time or later"),
    "until": moment("at__lt", "made before this time"),
}


class StepShape(serializers.Serializer[Any]):
    slug = serializers.CharField(help_text="counted, bounded, line-alert, line-rule-out, line-critical, qualified, level or change")
    title = serializers.CharField()
    text = serializers.CharField()
    numbers = serializers.DictField(child=serializers.FloatField(allow_null=True), help_text="in the evaluation's unit")


class ExplanationShape(serializers.Serializer[Any]):
    steps = StepShape(many=True)
    paragraph = serializers.CharField(help_text="the same in at most 120 words")


class AssessmentShape(serializers.ModelSerializer[Assessment]):
    """What one run said about one level of one checkpoint at the time."""

    run = serializers.CharField(source="run.ref")
    checkpoint = serializers.CharField(source="checkpoint.slug")
    level = serializers.CharField(source="level.key")
    inherited = serializers.CharField(
        source="inherited.source.slug", allow_null=True, default=None, help_text="the checkpoint whose run counts here"
    )

    class Meta:
        model = Assessment
        fields = (
            *("id", "run", "checkpoint", "level", "at", "state_before", "state", "reading_state", "complete", "critical_ruled_out"),
            *("illustrative", "binding", "set_after", "inherited", "message"),
        )


class AssessmentDetail(AssessmentShape):
    explanation = serializers.SerializerMethodField()

    class Meta(AssessmentShape.Meta):
        fields = (*AssessmentShape.Meta.fields, "explanation")  # type: ignore[assignment]  # one more

    @extend_schema_field(ExplanationShape)
    def get_explanation(self, row: Assessment) -> dict[str, Any]:
        return explained(row).as_dict()


class Assessments(ListAPIView[Assessment]):
    scopes = {"GET": "read"}
    serializer_class = AssessmentShape
    pagination_class = NewestFirst
    filters = FILTERS

    def get_queryset(self) -> QuerySet[Assessment]:
        return within(self.request, ROWS.all(), evaluation=EVALUATION)

    @extend_schema(
        responses={200: AssessmentShape(many=True), **answers(400)},
        tags=["assessments"],
    )
    def get(self, request: Request, *args: object, **kwargs: object) -> Response:
        """Newest first."""
        return super().get(request, *args, **kwargs)


class OneAssessment(Sparse, RetrieveAPIView[Assessment]):
    scopes = {"GET": "read"}
    serializer_class = AssessmentDetail

    def get_queryset(self) -> QuerySet[Assessment]:
        return within(self.request, ROWS.select_related("run__evaluation").prefetch_related("run__results"), evaluation=EVALUATION)

    @extend_schema(tags=["assessments"])
    def get(self, request: Request, *args: object, **kwargs: object) -> Response:
        """One assessment with its explanation, step by step and in a paragraph."""
        return super().get(request, *args, **kwargs)
