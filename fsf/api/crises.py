"""Crises, read-only: acknowledging and signing is for people, on the web."""

from django.db.models import QuerySet
from rest_framework import serializers
from rest_framework.generics import ListAPIView, RetrieveAPIView

from crises.models import Crisis
from fsf.api.fields import Sparse
from fsf.api.filters import choice, moment, text
from fsf.api.paging import NewestFirst
from fsf.api.reach import within

CRISES = Crisis.objects.select_related("model", "level", "checkpoint", "lead")
REACHED = {"model": "model__slug", "evaluation": "", "level": "level"}


class CrisisShape(serializers.ModelSerializer[Crisis]):
    ref = serializers.CharField()
    model = serializers.CharField(source="model.slug")
    level = serializers.CharField(source="level.key")
    checkpoint = serializers.CharField(source="checkpoint.slug")
    lead = serializers.CharField(source="lead.display_name", allow_null=True, default=None)

    class Meta:
        model = Crisis
        fields = (
            "id",
            "ref",
            "model",
            "level",
            "checkpoint",
            "state",
            "severity",
            "illustrative",
            "lead",
            "opened",
            "acknowledge_by",
            "acknowledged",
            "ready",
            "closed",
        )


class Crises(ListAPIView[Crisis]):
    scopes = {"GET": "read"}
    serializer_class = CrisisShape
    pagination_class = NewestFirst
    filters = {
        "model": text("model__slug"),
        "checkpoint": text("checkpoint__slug", "that opened it"),
        "level": text("level__key", "key"),
        "state": choice("state", Crisis.STATES),
        "severity": choice("severity", ("alert", "critical")),
        "since": moment("opened__gte", "opened at this time or later"),
        "until": moment("opened__lt", "opened before this time"),
    }

    def get_queryset(self) -> QuerySet[Crisis]:
        return within(self.request, CRISES.all(), **REACHED)


class OneCrisis(Sparse, RetrieveAPIView[Crisis]):
    scopes = {"GET": "read"}
    serializer_class = CrisisShape

    def get_queryset(self) -> QuerySet[Crisis]:
        return within(self.request, CRISES.all(), **REACHED)
