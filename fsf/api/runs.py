"""Posting a run and reading runs back."""

from typing import get_args

from django.db.models import QuerySet
from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.exceptions import ValidationError
from rest_framework.generics import ListAPIView, RetrieveAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from alerts.tasks import nudge
from crises.response import Answer, receive_run
from evals.models import Checkpoint, EvalRun
from evals.storing import Posted
from evals.submissions import STATUSES, Fault, InvalidSubmission, parse
from fsf.api.authentication import actor_of
from fsf.api.fields import Sparse
from fsf.api.filters import choice, moment, named, text, truth
from fsf.api.gathering import receive_gathered
from fsf.api.paging import NewestFirst
from fsf.api.problems import answers
from fsf.api.reach import within
from fsf.api.shapes import RunBody, RunDetail, RunReply, RunShape

DRY_RUN = OpenApiParameter("dry_run", bool, description="store nothing, and answer what would happen")
FILTERS = {
    "checkpoint": named("checkpoint__id__told", Checkpoint),
    "model": text("checkpoint__model__slug"),
    "evaluation": text("evaluation__slug", "slug, of all versions"),
    "status": choice("status", get_args(STATUSES)),
    "producer": text("producer", "its name"),
    "external_id": text("external_id"),
    "complete": truth("complete"),
    "since": moment("received__gte", "received at this time or later"),
    "until": moment("received__lt", "received before this time"),
}


class Runs(ListAPIView[EvalRun]):
    scopes = {"GET": "read", "POST": "runs:write"}
    identified = True
    serializer_class = RunShape
    pagination_class = NewestFirst
    filters = FILTERS

    def get_queryset(self) -> QuerySet[EvalRun]:
        return within(self.request, EvalRun.objects.select_related("checkpoint", "evaluation"))

    @extend_schema(tags=["runs"])
    def get(self, request: Request, *args: object, **kwargs: object) -> Response:
        """Newest first."""
        return super().get(request, *args, **kwargs)

    @extend_schema(
        request=RunBody,
        parameters=[DRY_RUN],
        responses={201: RunReply, 200: RunReply, **answers(400, 403, 409, 503)},
        tags=["runs"],
    )
    def post(self, request: Request) -> Response:
        """Store a run, judge it against every line in force, and answer what it caused.

        201 for a new run; 200 with "replayed": true for the same content again; 409 for other content under the same identity.
        With dry_run=true nothing is stored, and 200 says what would happen.
        """
        if not isinstance(request.data, dict):
            raise InvalidSubmission([Fault("", "invalid", "The body must be one JSON object: one run.")])
        post = Posted(parse(request.data), actor_of(request))
        answer = rehearse(post) if is_rehearsal(request) else receive_gathered(post)
        if answer.ring:
            nudge()
        where = {} if answer.reply["id"] is None else {"Location": f"/api/v1/runs/{answer.reply['id']}/"}
        return Response(answer.reply, status=201 if answer.created else 200, headers=where)


def rehearse(post: Posted) -> Answer:
    """What would happen."""
    return receive_run(submission=post.submission, actor=post.actor, now=timezone.now(), dry_run=True)


def is_rehearsal(request: Request) -> bool:
    """Whether the address asks what would happen; raises ValidationError for anything but true and false."""
    unknown = sorted(request.query_params.keys() - {"dry_run"})
    if unknown:
        raise ValidationError({unknown[0]: f"There is no parameter '{unknown[0]}' here; there is dry_run."})
    said = request.query_params.get("dry_run", "false")
    if said not in {"true", "false"}:
        raise ValidationError({"dry_run": f"It is true or false, not '{said}'."})
    return said == "true"


class Run(Sparse, RetrieveAPIView[EvalRun]):
    scopes = {"GET": "read"}
    serializer_class = RunDetail

    def get_queryset(self) -> QuerySet[EvalRun]:
        related = EvalRun.objects.select_related("checkpoint", "evaluation", "receipt__said", "heartbeat")
        return within(self.request, related.prefetch_related("results"))

    @extend_schema(tags=["runs"])
    def get(self, request: Request, *args: object, **kwargs: object) -> Response:
        """One run with its results and what its post was answered."""
        return super().get(request, *args, **kwargs)
