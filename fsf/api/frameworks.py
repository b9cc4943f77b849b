"""Frameworks, their levels with the lines drawn, and where every checkpoint stands."""

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import NotFound
from rest_framework.generics import ListAPIView, RetrieveAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from fsf.api.catalogue_shapes import FrameworkDetail, FrameworkShape, LevelShape, StatusShape
from fsf.api.fields import Sparse
from fsf.api.filters import choice, text
from fsf.api.paging import InOrder
from fsf.api.problems import answers
from fsf.api.reach import within
from thresholds.evidence import STATES
from thresholds.library import ContentUnknown, stored_content
from thresholds.library.difference import difference
from thresholds.models import CapabilityLevel, Framework, LevelStatus
from thresholds.publishing import find_framework, predecessor

READ = {"GET": "read"}
LEVELS = CapabilityLevel.objects.select_related("framework", "domain").prefetch_related("thresholds__evaluation")
FILTERS = {
    "checkpoint": text("checkpoint__slug"),
    "model": text("checkpoint__model__slug"),
    "level": text("level__key", "key"),
    "framework": text("level__framework__slug", "slug, of all versions"),
    "state": choice("state", STATES),
}


class Frameworks(ListAPIView[Framework]):
    scopes = READ
    serializer_class = FrameworkShape
    pagination_class = InOrder
    filters = {
        "slug": text("slug", "all versions of one framework"),
        "developer": text("developer"),
        "state": choice("state", ("draft", "published")),
    }
    queryset = Framework.objects.select_related("supersedes", "author", "approver").prefetch_related("levels").defer("content")


class OneFramework(Sparse, APIView):
    scopes = READ
    serializer_class = FrameworkDetail

    @extend_schema(responses={200: FrameworkDetail, **answers(404)}, tags=["frameworks"])
    def get(self, request: Request, framework: str) -> Response:
        """One version with its whole content and what it changed. Publishing it is for people, by page or command."""
        try:
            found = find_framework(framework)
        except Framework.DoesNotExist as none:
            raise NotFound from none
        found.difference = _difference(found)  # type: ignore[attr-defined]  # shown, not stored
        return Response(FrameworkDetail(found).data)


def _difference(framework: Framework) -> dict[str, Any] | None:
    before = predecessor(framework)
    if before is None:
        return None
    try:
        changes = difference(stored_content(before), stored_content(framework))
    except ContentUnknown:
        return {"against": before.key, "changes": None}
    return {"against": before.key, "changes": [change.as_dict() for change in changes]}


class Levels(ListAPIView[CapabilityLevel]):
    scopes = READ
    serializer_class = LevelShape
    pagination_class = InOrder
    orderings = ("key",)
    filters = {
        "framework": text("framework__slug", "slug, of all versions"),
        "domain": text("domain__slug"),
        "kind": choice("kind", CapabilityLevel.KINDS),
    }
    queryset = LEVELS


class Level(Sparse, RetrieveAPIView[CapabilityLevel]):
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
        return within(self.request, LevelStatus.objects.select_related("checkpoint", "level", "evaluation"))

    @extend_schema(tags=["statuses"])
    def get(self, request: Request, *args: object, **kwargs: object) -> Response:
        """Where each checkpoint stands at each level that was judged or reported."""
        return super().get(request, *args, **kwargs)
