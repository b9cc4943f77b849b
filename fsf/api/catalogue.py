"""Models, checkpoints and evaluations: registering them and reading them."""

from typing import Any

from django.db.models import QuerySet
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.generics import ListAPIView, RetrieveAPIView, get_object_or_404
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer
from rest_framework.views import APIView

from accounts.roles import check_reach
from evals.catalogue import register_checkpoint, register_evaluation, register_model
from evals.models import Checkpoint, Evaluation, FrontierModel
from fsf.api.authentication import actor_of
from fsf.api.catalogue_shapes import CheckpointShape, EvaluationShape, ModelShape
from fsf.api.fields import Sparse
from fsf.api.filters import text
from fsf.api.paging import InOrder
from fsf.api.problems import answers
from fsf.api.reach import within

CHECKPOINTS = Checkpoint.objects.select_related("model", "parent__model")
OF_MODEL = {"model": "model__slug", "evaluation": ""}
SCOPES = {"GET": "read", "POST": "catalogue:write"}
ANSWERS = answers(400, 403, 409)


def _checked(shape: type[BaseSerializer[Any]], request: Request) -> dict[str, Any]:
    body = shape(data=request.data)
    body.is_valid(raise_exception=True)
    return dict(body.validated_data)


class Models(ListAPIView[FrontierModel]):
    scopes = SCOPES
    serializer_class = ModelShape
    pagination_class = InOrder
    orderings = ("slug",)
    filters = {"developer": text("developer"), "family": text("family")}

    def get_queryset(self) -> QuerySet[FrontierModel]:
        return within(self.request, FrontierModel.objects.all(), model="slug", evaluation="")

    @extend_schema(request=ModelShape, responses={201: ModelShape, **ANSWERS})
    def post(self, request: Request) -> Response:
        """Register a model; the same content again changes nothing."""
        fields = _checked(ModelShape, request)
        check_reach(actor_of(request), model=fields["slug"])
        model = register_model(**fields, actor=actor_of(request), now=timezone.now())
        return Response(ModelShape(model).data, status=201)


class Checkpoints(ListAPIView[Checkpoint]):
    scopes = SCOPES
    serializer_class = CheckpointShape
    pagination_class = InOrder
    orderings = ("slug",)
    filters = {"model": text("model__slug"), "developer": text("model__developer"), "parent": text("parent__slug")}

    def get_queryset(self) -> QuerySet[Checkpoint]:
        rows = within(self.request, CHECKPOINTS.all(), **OF_MODEL)
        by_parent = "parent" in self.request.query_params  # which is not told either by who is found under it
        return within(self.request, rows, model="parent__model__slug", evaluation="") if by_parent else rows

    @extend_schema(request=CheckpointShape, responses={201: CheckpointShape, **ANSWERS})
    def post(self, request: Request) -> Response:
        """Register a checkpoint of a registered model; the same content again changes nothing."""
        fields = _checked(CheckpointShape, request)
        there = Checkpoint.objects.select_related("model").filter(slug=fields["slug"]).first()
        check_reach(actor_of(request), model=fields["model"].slug, checkpoint=fields["slug"])
        for known in (there, fields.get("parent")):
            if known is not None:
                check_reach(actor_of(request), model=known.model.slug, checkpoint=known.slug)
        checkpoint = register_checkpoint(model=fields.pop("model"), fields=fields, actor=actor_of(request), now=timezone.now())
        return Response(CheckpointShape(checkpoint).data, status=201)


class OneCheckpoint(Sparse, RetrieveAPIView[Checkpoint]):
    scopes = SCOPES
    serializer_class = CheckpointShape
    lookup_field = "slug"

    def get_queryset(self) -> QuerySet[Checkpoint]:
        return within(self.request, CHECKPOINTS.all(), **OF_MODEL)


class Evaluations(ListAPIView[Evaluation]):
    scopes = SCOPES
    serializer_class = EvaluationShape
    pagination_class = InOrder
    filters = {"slug": text("slug", "all versions of one evaluation"), "unit": text("unit")}

    def get_queryset(self) -> QuerySet[Evaluation]:
        return within(self.request, Evaluation.objects.all(), model="", evaluation="slug")

    @extend_schema(request=EvaluationShape, responses={201: EvaluationShape, **ANSWERS})
    def post(self, request: Request) -> Response:
        """Register one version of an evaluation; another definition needs another version."""
        fields = _checked(EvaluationShape, request)
        check_reach(actor_of(request), evaluation=fields["slug"])
        evaluation = register_evaluation(fields=fields, actor=actor_of(request), now=timezone.now())
        return Response(EvaluationShape(evaluation).data, status=201)


class OneEvaluation(Sparse, APIView):
    scopes = SCOPES
    serializer_class = EvaluationShape

    @extend_schema(responses={200: EvaluationShape, **answers(404)}, tags=["evaluations"])
    def get(self, request: Request, evaluation: str) -> Response:
        """One version, by `slug@version`, with what was found out about it since."""
        slug, _, version = evaluation.partition("@")
        rows = within(request, Evaluation.objects.all(), model="", evaluation="slug")
        return Response(EvaluationShape(get_object_or_404(rows, slug=slug, version=version)).data)
