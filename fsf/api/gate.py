"""May this checkpoint be deployed?"""

from typing import Any

from django.http import Http404
from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.roles import Actor, check_reach
from evals.models import Checkpoint
from fsf.api.authentication import actor_of
from fsf.api.conditional import NEVER
from fsf.api.problems import answers
from fsf.api.shapes import Strict
from gates.gate import may_deploy, record_decision

ASKED = ("checkpoint", "stage")
ANSWERS = answers(400, 403, 404)


class ReasonShape(serializers.Serializer[Any]):
    level = serializers.CharField()
    code = serializers.CharField()
    detail = serializers.CharField()


class GateShape(serializers.Serializer[Any]):
    verdict = serializers.ChoiceField(["pass", "hold", "unknown"])
    reasons = ReasonShape(many=True)
    checkpoint = serializers.CharField()
    stage = serializers.ChoiceField(["internal", "external"])
    frameworks = serializers.ListField(child=serializers.CharField())
    at = serializers.DateTimeField()
    id = serializers.IntegerField(required=False, help_text="of the recorded answer; a question stores none")


class GateQuestion(Strict):
    checkpoint = serializers.CharField(help_text="slug")
    stage = serializers.ChoiceField(["internal", "external"])


def _asked(data: Any, actor: Actor) -> tuple[Checkpoint, str]:
    question = GateQuestion(data=data)
    question.is_valid(raise_exception=True)
    checkpoint = Checkpoint.objects.select_related("model").filter(slug=question.validated_data["checkpoint"]).first()
    if checkpoint is None:
        raise Http404
    check_reach(actor, model=checkpoint.model.slug, checkpoint=checkpoint.slug)
    return checkpoint, question.validated_data["stage"]


class Gate(APIView):
    scopes = {"GET": "gate:read", "POST": "gate:read"}

    @extend_schema(
        parameters=[GateQuestion, OpenApiParameter("stage", str, enum=["internal", "external"], required=True)],
        responses={200: GateShape, **ANSWERS},
    )
    def get(self, request: Request) -> Response:
        """The gate's answer now; nothing is stored. Only `pass` is a pass: unknown is never safe."""
        checkpoint, stage = _asked({name: request.query_params[name] for name in ASKED if name in request.query_params}, actor_of(request))
        return Response(may_deploy(checkpoint=checkpoint, stage=stage, now=timezone.now()).as_dict(), headers={"Cache-Control": NEVER})

    @extend_schema(request=GateQuestion, responses={201: GateShape, **ANSWERS})
    def post(self, request: Request) -> Response:
        """Ask the gate and record its answer, audited, as part of a deployment."""
        checkpoint, stage = _asked(request.data, actor_of(request))
        row, answer = record_decision(checkpoint=checkpoint, stage=stage, actor=actor_of(request), now=timezone.now())
        return Response({"id": row.pk, **answer.as_dict()}, status=201)
