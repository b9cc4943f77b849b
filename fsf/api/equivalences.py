"""By which signature the results of one checkpoint count for another, within which limits and until when."""

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from fsf.api.catalogue_shapes import EquivalenceShape
from fsf.api.filters import text
from fsf.api.paging import NewestFirst
from fsf.api.reach import within
from thresholds.models import Equivalence

FILTERS = {"checkpoint": text("checkpoint__slug", "which inherits"), "source": text("source__slug", "whose results count")}


class Equivalences(ListAPIView[Equivalence]):
    scopes = {"GET": "read"}
    serializer_class = EquivalenceShape
    pagination_class = NewestFirst
    filters = FILTERS

    def get_queryset(self) -> QuerySet[Equivalence]:
        rows = within(self.request, Equivalence.objects.select_related("checkpoint", "source", "signed_by"), evaluation="")
        return within(self.request, rows, model="source__model__slug", evaluation="")

    @extend_schema(tags=["equivalences"])
    def get(self, request: Request, *args: object, **kwargs: object) -> Response:
        """Newest first, the ended ones too. People sign and end them; a token never can."""
        return super().get(request, *args, **kwargs)
