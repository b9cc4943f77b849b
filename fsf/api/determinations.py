"""What a lab itself stated about a checkpoint and a level."""

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.roles import check_reach
from evals.models import Checkpoint
from fsf.api.authentication import actor_of
from fsf.api.problems import answers
from fsf.api.shapes import Strict
from thresholds.models import CapabilityLevel, Determination
from thresholds.reported import record_determination


class DeterminationBody(Strict):
    checkpoint = serializers.SlugRelatedField(slug_field="slug", queryset=Checkpoint.objects.select_related("model"))
    level = serializers.SlugRelatedField(slug_field="key", queryset=CapabilityLevel.objects.all())
    status = serializers.ChoiceField(Determination.STATUSES)
    stated = serializers.DateField()
    source = serializers.CharField()  # type: ignore[assignment]  # a field of that name
    note = serializers.CharField(required=False, default="", allow_blank=True)


class Determinations(APIView):
    scopes = {"POST": "determinations:write"}

    @extend_schema(request=DeterminationBody, responses={201: DeterminationBody, 200: DeterminationBody, **answers(400, 403, 422)})
    def post(self, request: Request) -> Response:
        """Record a reported determination beside the product's own reading; the same again changes nothing."""
        body = DeterminationBody(data=request.data)
        body.is_valid(raise_exception=True)
        about = body.validated_data["checkpoint"]
        check_reach(actor_of(request), model=about.model.slug, checkpoint=about.slug)
        row, created = record_determination(**body.validated_data, actor=actor_of(request), now=timezone.now())
        return Response(DeterminationBody(row).data, status=201 if created else 200)
