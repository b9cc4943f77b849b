"""The life of a run after its start: it says how far it is, and ends with its result."""

from typing import Any

from django.http import Http404
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from alerts.tasks import nudge
from crises.watching import finish_run, hear_run
from evals.models import EvalRun
from evals.submissions import Fault, InvalidSubmission
from fsf.api.authentication import actor_of
from fsf.api.problems import answers
from fsf.api.runs import DRY_RUN, is_rehearsal
from fsf.api.shapes import CoverageShape, MeasurementShape, RunReply, Strict

MOST = 2_000_000_000


def _count(what: str, most: int = MOST) -> serializers.IntegerField:
    return serializers.IntegerField(required=False, min_value=0, max_value=most, help_text=what)


class Sign(Strict):
    """How far a run is; whatever is not said stays as it was."""

    planned = _count("samples that are to run")
    completed = _count("samples that ran to their end")
    scored = _count("samples with a score")
    errored = _count("samples that ended with an error")
    tokens = _count("spent so far", 2**63 - 1)
    cost = serializers.FloatField(required=False, min_value=0, max_value=1e12, help_text="US dollars spent so far")


class SignReply(serializers.Serializer[Any]):
    """The run that the sign counted for."""

    id = serializers.IntegerField(help_text="of the newest revision; the one that was named may go on to be used")
    ref = serializers.CharField()
    status = serializers.ChoiceField(["started"])
    heartbeat_due = serializers.DateTimeField(help_text="without another sign by then the run is lost")


class Rest(serializers.Serializer[Any]):
    """What is to be said of a run beside what its start has said."""

    measurements = MeasurementShape(many=True, required=False)
    status = serializers.ChoiceField(["success", "error", "cancelled", "lost"], required=False)
    started = serializers.DateTimeField(required=False, allow_null=True)
    completed = serializers.DateTimeField(required=False, allow_null=True)
    coverage = CoverageShape(required=False)
    elicitation = serializers.DictField(required=False)
    provenance = serializers.DictField(required=False)


class Heartbeat(APIView):
    scopes = {"POST": "runs:write"}

    @extend_schema(
        request=Sign, responses={200: SignReply, **answers(400, 403, 404, 409, 503)}, tags=["runs"], operation_id="runs_heartbeat"
    )
    def post(self, request: Request, pk: int) -> Response:
        """Say that a started run lives, and how far it is.

        Only the account that posted the start may. Counts never fall. A run that was given up as lost goes on; one that has ended
        is answered 409 `run_ended`, with the run that stands in Location.
        """
        sign = Sign(data=request.data)
        sign.is_valid(raise_exception=True)
        try:
            heard = hear_run(run_id=pk, said=sign.validated_data, actor=actor_of(request), now=timezone.now())
        except EvalRun.DoesNotExist as missing:
            raise Http404 from missing
        if heard.ring:
            nudge()
        return Response({"id": heard.run.pk, "ref": heard.run.ref, "status": heard.run.status, "heartbeat_due": heard.due})


class Finish(APIView):
    scopes = {"POST": "runs:write"}
    identified = True

    @extend_schema(
        request=Rest,
        parameters=[DRY_RUN],
        responses={201: RunReply, 200: RunReply, **answers(400, 403, 404, 409, 503)},
        tags=["runs"],
        operation_id="runs_finish",
    )
    def post(self, request: Request, pk: int) -> Response:
        """End a started run, also one that was given up as lost, with what its start has not said; answered as a post is.

        Only the account that posted the start may. 200 with "replayed": true for the same again; 409 for other content.
        """
        if not isinstance(request.data, dict):
            raise InvalidSubmission([Fault("", "invalid", "The body must be one JSON object: the rest of the run.")])
        dry_run = is_rehearsal(request)
        try:
            answer = finish_run(run_id=pk, rest=request.data, actor=actor_of(request), now=timezone.now(), dry_run=dry_run)
        except EvalRun.DoesNotExist as missing:
            raise Http404 from missing
        if answer.ring:
            nudge()
        where = {} if answer.reply["id"] is None else {"Location": f"/api/v1/runs/{answer.reply['id']}/"}
        return Response(answer.reply, status=201 if answer.created else 200, headers=where)
