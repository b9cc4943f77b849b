"""What a restricted token is shown: rows of its models and evaluations, and no answer that is drawn from all of them."""

from typing import Any, TypeVar

from django.db.models import Model, QuerySet
from rest_framework.request import Request

from accounts.roles import EVERYTHING, NotAllowed
from evals.models import Checkpoint
from fsf.api.authentication import actor_of
from thresholds.models import Threshold

Row = TypeVar("Row", bound=Model)


def within(
    request: Request, rows: QuerySet[Row], *, model: str = "checkpoint__model__slug", evaluation: str = "evaluation__slug", level: str = ""
) -> QuerySet[Row]:
    """The rows that the request's token reaches; the paths lead to the slugs, and an empty one says that the rows have no such thing.

    `level` is for rows of a level and not of an evaluation: those whose level draws a line on an evaluation in reach.
    """
    if request.auth is None:  # the OpenAPI document is drawn without a token
        return rows.none()
    reach = actor_of(request).reach
    if reach == EVERYTHING:
        return rows
    paths = ((model, reach.models), (evaluation, reach.evaluations))
    wanted: dict[str, Any] = {f"{path}__in": sorted(slugs) for path, slugs in paths if path and slugs}
    if reach.evaluations and level:
        wanted[f"{level}__in"] = Threshold.objects.filter(evaluation__slug__in=sorted(reach.evaluations)).values("level")
    return rows.filter(**wanted)


def hides(request: Request | None, checkpoint: Checkpoint | None) -> bool:
    """Whether a checkpoint that another row refers to is of a model that the request's token does not reach."""
    if request is None or request.auth is None or checkpoint is None or not (models := actor_of(request).reach.models):
        return False
    return checkpoint.model.slug not in models


def whole(request: Request, what: str) -> None:
    """Raise NotAllowed for a restricted token where an answer is drawn from every model and evaluation."""
    actor = actor_of(request)
    if actor.reach != EVERYTHING:
        raise NotAllowed(actor, "reach", f"{what} drawn from every model and evaluation; a token restricted to some cannot read it.")
