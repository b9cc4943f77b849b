"""Crises, read-only: acknowledging and signing is for people, on the web."""

from rest_framework.generics import ListAPIView, RetrieveAPIView

from crises.models import Crisis
from fsf.api.paging import NewestFirst
from fsf.api.shapes import CrisisShape

CRISES = Crisis.objects.select_related("model", "level", "checkpoint", "lead")


class Crises(ListAPIView[Crisis]):
    scopes = {"GET": "read"}
    serializer_class = CrisisShape
    pagination_class = NewestFirst
    queryset = CRISES


class OneCrisis(RetrieveAPIView[Crisis]):
    scopes = {"GET": "read"}
    serializer_class = CrisisShape
    queryset = CRISES
