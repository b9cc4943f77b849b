"""When the frontier of each family may reach the lines of a level."""

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from fsf.api.filters import choice, text, truth
from fsf.api.paging import InOrder
from fsf.api.problems import answers
from fsf.api.reach import whole
from thresholds.models import Forecast
from thresholds.outlook import AXES

FILTERS = {
    "level": text("level__key", "key"),
    "family": text("family__iexact", "in upper or lower case"),
    "axis": choice("axis", AXES),
    "crosses": truth("crosses", "a line is reached before its plan would be ready"),
}
PLACE = {"oneOf": [{"type": "string", "format": "date"}, {"type": "number"}]}
NO_DAYS = "null by compute, which knows no days"


@extend_schema_field({**PLACE, "description": "a day, or effective compute in FLOP"})
class Place(serializers.Field[Any, Any, Any, Any]):
    def to_representation(self, value: Any) -> Any:
        return value


@extend_schema_field({"oneOf": [*PLACE["oneOf"], {"type": "null"}], "description": "a day, or effective compute in FLOP"})
class MaybePlace(Place):
    pass


class FrontierPoint(serializers.Serializer[Any]):
    x = Place()
    score = serializers.FloatField()
    checkpoint = serializers.CharField()


class BandStep(serializers.Serializer[Any]):
    x = Place()
    q10 = serializers.FloatField(help_text="the frontier as a score that is reached by x with 90 % probability")
    median = serializers.FloatField()
    q90 = serializers.FloatField(help_text="with 10 % probability")
    confident = serializers.BooleanField(help_text="no more than twelve months ahead")


class ForecastLine(serializers.Serializer[Any]):
    value = serializers.FloatField()
    comparator = serializers.CharField()
    illustrative = serializers.BooleanField()
    q10 = MaybePlace(help_text="reached by then with 10 % probability: plan on this; null beyond the horizon")
    median = MaybePlace()
    q90 = MaybePlace()
    crossed_at = MaybePlace(help_text="where a score reached it already")
    never = serializers.FloatField(help_text="probability that it is not reached within the horizon")
    before_next_evaluation = serializers.FloatField(allow_null=True, help_text="probability")
    within_lead_time = serializers.FloatField(allow_null=True, help_text=f"probability; {NO_DAYS}")
    in_time = serializers.BooleanField(allow_null=True, help_text=f"whether the plan is ready before q10; {NO_DAYS}")
    straight_line = MaybePlace(help_text="where least squares through all history meets it: a disagreement, not a plan")


class ForecastLines(serializers.Serializer[Any]):
    alert = ForecastLine(required=False)
    critical = ForecastLine(required=False)
    rule_out = ForecastLine(required=False)


class Early(serializers.Serializer[Any]):
    early = serializers.BooleanField(help_text="whether critical is reached inside the window with no more than the accepted risk")
    says = serializers.CharField()
    probability = serializers.FloatField(help_text="that critical is reached inside the window, once the frontier stands at alert")
    risk = serializers.FloatField(help_text="the most that is accepted")
    window_days = serializers.FloatField(help_text="one interval between evaluations, and the lead time")
    leaves_days = serializers.FloatField(allow_null=True, help_text="what alert leaves at this risk; null beyond ten years")
    spare_days = serializers.FloatField(allow_null=True)
    drift_days = serializers.FloatField(allow_null=True, help_text="what it would leave if progress were as steady as its drift")
    distance = serializers.FloatField(help_text="from alert to critical on the scale")
    needed = serializers.FloatField(help_text="the distance that keeps to the risk")
    drift_needed = serializers.FloatField()
    alert_at = serializers.FloatField(help_text="the score at which alert keeps to the risk")


class ForecastContent(serializers.Serializer[Any]):
    unit = serializers.CharField()
    scale = serializers.ChoiceField(["linear", "log", "logit"])
    lower_is_stronger = serializers.BooleanField()
    joined = serializers.ListField(child=serializers.CharField(), help_text="versions of the evaluation in this trend")
    validity = serializers.ListField(child=serializers.CharField(), help_text="what was found out about the evaluation")
    lead_days = serializers.IntegerField()
    interval_days = serializers.IntegerField()
    next_evaluation = serializers.DateField()
    here = Place(help_text="today, or the greatest compute on the frontier")
    confident_until = Place()
    drift = serializers.FloatField(help_text="a year or a doubling of compute, on the scale")
    sigma = serializers.FloatField()
    points = FrontierPoint(many=True)
    band = BandStep(many=True)
    lines = ForecastLines()
    early = Early(allow_null=True)


class ForecastOfLevel(serializers.ModelSerializer[Forecast]):
    """One family's frontier on one evaluation towards the lines of one level."""

    level = serializers.CharField(source="level.key")
    evaluation = serializers.CharField(source="evaluation.key")
    axis = serializers.ChoiceField(AXES)
    forecast = serializers.SerializerMethodField(help_text="null where it was refused")

    class Meta:
        model = Forecast
        fields = ["level", "evaluation", "family", "axis", "made", "refused", "crosses", "forecast"]

    @extend_schema_field(ForecastContent(allow_null=True))
    def get_forecast(self, row: Forecast) -> Any:
        return row.content or None


class Forecasts(ListAPIView[Forecast]):
    scopes = {"GET": "read"}
    serializer_class = ForecastOfLevel
    pagination_class = InOrder
    filters = FILTERS

    def get_queryset(self) -> QuerySet[Forecast]:
        return Forecast.objects.select_related("level", "evaluation")

    @extend_schema(
        responses={200: ForecastOfLevel(many=True), **answers(400, 403)},
        tags=["forecasts"],
    )
    def get(self, request: Request, *args: object, **kwargs: object) -> Response:
        """When each family may reach the lines of each level by date and by effective compute, or why that cannot be said yet."""
        whole(request, "Forecasts are")
        return super().get(request, *args, **kwargs)
