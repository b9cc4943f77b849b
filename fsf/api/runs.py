"""Posting a run and reading runs back."""

from django.db.models import QuerySet
from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.generics import ListAPIView, RetrieveAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from alerts.tasks import nudge
from crises.response import receive_run
from evals.models import EvalRun
from evals.submissions import Fault, InvalidSubmission, parse
from fsf.api.authentication import actor_of
from fsf.api.paging import NewestFirst
from fsf.api.problems import answers
from fsf.api.shapes import RunBody, RunDetail, RunReply, RunShape

FILTERS = {"checkpoint": "checkpoint__slug", "model": "checkpoint__model__slug", "evaluation": "evaluation__slug", "status": "status"}


class Runs(ListAPIView[EvalRun]):
    scopes = {"GET": "read", "POST": "runs:write"}
    serializer_class = RunShape
    pagination_class = NewestFirst
    filters = FILTERS

    def get_queryset(self) -> QuerySet[EvalRun]:
        wanted = {FILTERS[name]: value for name, value in self.request.query_params.items() if name in FILTERS}
        return EvalRun.objects.select_related("checkpoint", "evaluation").filter(**wanted)

    @extend_schema(parameters=[OpenApiParameter(name, str) for name in FILTERS], tags=["runs"])
    def get(self, request: Request, *args: object, **kwargs: object) -> Response:
        """Newest first."""
        return super().get(request, *args, **kwargs)

    @extend_schema(request=RunBody, responses={201: RunReply, 200: RunReply, **answers(400, 409, 503)}, tags=["runs"])
    def post(self, request: Request) -> Response:
        """Store a run, judge it against every line in force, and answer what it caused.

        201 for a new run; 200 with "replayed": true for the same content again; 409 for other content under the same identity.
        """
        if not isinstance(request.data, dict):
            raise InvalidSubmission([Fault("", "invalid", "The body must be one JSON object: one run.")])
        answer = receive_run(submission=parse(request.data), actor=actor_of(request), now=timezone.now())
        if answer.ring:
            nudge()
        return Response(answer.reply, status=201 if answer.created else 200, headers={"Location": f"/api/v1/runs/{answer.reply['id']}/"})


class Run(RetrieveAPIView[EvalRun]):
    scopes = {"GET": "read"}
    serializer_class = RunDetail
    queryset = EvalRun.objects.select_related("checkpoint", "evaluation", "receipt").prefetch_related("results")

    @extend_schema(tags=["runs"])
    def get(self, request: Request, *args: object, **kwargs: object) -> Response:
        """One run with its results and what its post was answered."""
        return super().get(request, *args, **kwargs)
