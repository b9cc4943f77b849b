"""Frameworks, their levels with the lines drawn, and where every checkpoint stands."""

from django.db.models import QuerySet
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.generics import ListAPIView, RetrieveAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from fsf.api.paging import InOrder
from fsf.api.shapes import FrameworkShape, LevelShape, StatusShape
from thresholds.models import CapabilityLevel, Framework, LevelStatus

READ = {"GET": "read"}
LEVELS = CapabilityLevel.objects.select_related("framework", "domain").prefetch_related("thresholds__evaluation")
FILTERS = {"checkpoint": "checkpoint__slug", "level": "level__key", "state": "state"}


class Frameworks(ListAPIView[Framework]):
    scopes = READ
    serializer_class = FrameworkShape
    pagination_class = InOrder
    queryset = Framework.objects.prefetch_related("levels")


class Levels(ListAPIView[CapabilityLevel]):
    scopes = READ
    serializer_class = LevelShape
    pagination_class = InOrder
    queryset = LEVELS


class Level(RetrieveAPIView[CapabilityLevel]):
    scopes = READ
    serializer_class = LevelShape
    queryset = LEVELS
    lookup_field = "key"


class Statuses(ListAPIView[LevelStatus]):
    scopes = READ
    serializer_class = StatusShape
    pagination_class = InOrder
    filters = FILTERS

    def get_queryset(self) -> QuerySet[LevelStatus]:
        wanted = {FILTERS[name]: value for name, value in self.request.query_params.items() if name in FILTERS}
        return LevelStatus.objects.select_related("checkpoint", "level", "evaluation").filter(**wanted)

    @extend_schema(parameters=[OpenApiParameter(name, str) for name in FILTERS], tags=["statuses"])
    def get(self, request: Request, *args: object, **kwargs: object) -> Response:
        """Where each checkpoint stands at each level that was judged or reported."""
        return super().get(request, *args, **kwargs)
