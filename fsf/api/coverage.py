"""Which levels are read often enough for which checkpoints, and why."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from evals.models import Checkpoint
from fsf.api.authentication import actor_of
from fsf.api.paging import InOrder
from fsf.api.problems import answers
from fsf.api.reach import within
from thresholds.cadence import Covered, cover_levels
from thresholds.coverage import STATES
from thresholds.models import CapabilityLevel

FILTERS = ("checkpoint", "level", "state")
ALWAYS = ("never_run", "required_line", "equivalence", "lost_run")


class CoverageReason(serializers.Serializer[Any]):
    trigger = serializers.CharField(help_text=f"a trigger of the framework's cadence, retest_days, or one of {', '.join(ALWAYS)}")
    state = serializers.ChoiceField(STATES)
    detail = serializers.CharField()
    due = serializers.DateField(allow_null=True, help_text="first day on which this rule asks for an evaluation")
    overdue = serializers.DateField(allow_null=True, help_text="first day on which it is overdue")
    source = serializers.CharField(help_text="where the rule is published")  # type: ignore[assignment]  # a field of that name
    illustrative = serializers.BooleanField(help_text="the developer has not published this rule")
    late = serializers.BooleanField(help_text="the rule was kept only afterwards")


class CoverageOfLevel(serializers.Serializer[Any]):
    """One checkpoint at one level in force for its developer."""

    checkpoint = serializers.CharField(source="checkpoint.slug")
    level = serializers.CharField(source="level.key")
    framework = serializers.CharField(source="level.framework.key")
    state = serializers.ChoiceField(STATES, source="coverage.state")
    taken = serializers.DateField(source="coverage.taken", allow_null=True, help_text="day of the oldest evidence that counts")
    due = serializers.DateField(source="coverage.due", allow_null=True, help_text="null where the day is not known")
    overdue = serializers.DateField(source="coverage.overdue", allow_null=True, help_text="null where there is no such day yet")
    late = serializers.BooleanField(source="coverage.late")
    reasons = CoverageReason(source="coverage.reasons", many=True)


@dataclass(frozen=True, slots=True)
class Pair:
    """A checkpoint at a level with a number of its own, by which the list is read page by page."""

    id: int
    covered: Covered


class Pairs:
    """Answers in the order of their numbers, with as much of a queryset as the paging asks of it."""

    def __init__(self, pairs: Iterable[Pair]) -> None:
        self.pairs = list(pairs)

    def order_by(self, name: str) -> "Pairs":
        return Pairs(sorted(self.pairs, key=lambda pair: pair.id, reverse=name.startswith("-")))

    def filter(self, *, id__gt: str | None = None, id__lt: str | None = None) -> "Pairs":
        after = self.pairs if id__gt is None else [pair for pair in self.pairs if pair.id > int(id__gt)]
        return Pairs(after if id__lt is None else [pair for pair in after if pair.id < int(id__lt)])

    def __getitem__(self, part: slice) -> list[Pair]:
        return self.pairs[part]


class Coverage(GenericAPIView[Checkpoint]):
    scopes = {"GET": "read"}
    serializer_class = CoverageOfLevel
    pagination_class = InOrder
    filters = FILTERS
    queryset = Checkpoint.objects.select_related("model")

    @extend_schema(
        parameters=[OpenApiParameter("checkpoint", str), OpenApiParameter("level", str), OpenApiParameter("state", str, enum=STATES)],
        responses={200: CoverageOfLevel(many=True), **answers(400)},
        operation_id="coverage_list",
    )
    def get(self, request: Request) -> Response:
        """Whether each level in force is fresh, due, overdue or was never run for each checkpoint, and why."""
        asked = {name: request.query_params[name] for name in FILTERS if name in request.query_params}
        if asked.get("state", STATES[0]) not in STATES:
            raise serializers.ValidationError({"state": f"There is no state '{asked['state']}'; use one of {', '.join(STATES)}."})
        pairs: Any = Pairs(_pairs(request, asked))
        page: Any = self.paginate_queryset(pairs)
        return self.get_paginated_response(CoverageOfLevel([pair.covered for pair in page], many=True).data)


def _pairs(request: Request, asked: dict[str, str]) -> Iterable[Pair]:
    rows = Coverage.queryset.filter(slug=asked["checkpoint"]) if "checkpoint" in asked else Coverage.queryset.all()
    drawn = within(request, CapabilityLevel.objects.all(), model="", evaluation="", level="pk")
    reached = set(drawn.values_list("pk", flat=True)) if actor_of(request).reach.evaluations else None
    for covered in cover_levels(checkpoints=list(within(request, rows, model="model__slug", evaluation="")), now=timezone.now()):
        if (
            (reached is None or covered.level.pk in reached)
            and asked.get("level", covered.level.key) == covered.level.key
            and asked.get("state", covered.coverage.state) == covered.coverage.state
        ):
            yield Pair(covered.checkpoint.pk << 31 | covered.level.pk, covered)
