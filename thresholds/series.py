"""What a trend is drawn through: the best score of each checkpoint of a family, over versions of an evaluation that may be joined."""

import datetime as dt
from collections.abc import Sequence
from math import log2
from typing import NamedTuple

from django.db.models import F, Max, Min
from django.db.models.functions import Coalesce

from evals.catalogue import EVERYONE
from evals.models import EvalResult, Evaluation
from thresholds.forecast import Axis, in_years
from thresholds.measured import flags_of
from thresholds.scale import OffScale, Scale


class Point(NamedTuple):
    """The best that one checkpoint scored; x and date in years, or x as log2 of its effective compute in FLOP."""

    x: float
    score: float
    date: float
    checkpoint: str


class Best(NamedTuple):
    """The best complete score of one checkpoint, the day from which it is known, and the day it was last measured."""

    checkpoint: str
    family: str
    score: float
    day: dt.date
    last: dt.date
    compute: float | None


def family_of(family: str, developer: str) -> str:
    """Whose frontier a model belongs to: its family's, or its developer's where none is named."""
    return family or developer


def versions_of(evaluation: Evaluation) -> list[Evaluation]:
    """The versions that may share a trend with this one: the same word for comparability, read alike, none flagged not comparable."""
    if not evaluation.comparability or "not_comparable" in flags_of(evaluation):
        return [evaluation]
    others = Evaluation.objects.filter(
        slug=evaluation.slug,
        comparability=evaluation.comparability,
        unit=evaluation.unit,
        direction=evaluation.direction,
        scale=evaluation.scale,
    ).exclude(pk=evaluation.pk)
    return [evaluation, *(other for other in others.order_by("pk") if "not_comparable" not in flags_of(other))]


def bests_of(versions: Sequence[Evaluation]) -> list[Best]:
    """The best complete score of each checkpoint that still counts; a score is known at the latest from when it was measured first."""
    one = versions[0]
    counting = EvalResult.objects.filter(
        metric=F("run__evaluation__metric"),
        run__evaluation__in=versions,
        run__complete=True,
        run__invalidated__isnull=True,
        run__superseded_by__isnull=True,
    ).annotate(score=Coalesce("solved", "value") if one.unit == "count" else F("value"))
    about = ("slug", "model__family", "model__developer", "released", "trained", "effective_compute")
    rows = (
        counting.filter(score__isnull=False)
        .order_by("run__checkpoint_id")
        .values_list(*(f"run__checkpoint__{name}" for name in about))
        .annotate(Min("score") if one.direction == "lower" else Max("score"), Min("run__completed"), Max("run__completed"))
    )
    return [
        Best(slug, family_of(family, developer), best, min(released or trained or _day(first), _day(first)), _day(last), compute)
        for slug, family, developer, released, trained, compute, best, first, last in rows
    ]


def _day(moment: dt.datetime) -> dt.date:
    return moment.astimezone(dt.UTC).date()


def in_family(bests: Sequence[Best], family: str) -> list[Best]:
    """Those of one family, however its name is spelt, or of all of them."""
    return list(bests) if family == EVERYONE else [best for best in bests if best.family.casefold() == family.casefold()]


def points_of(bests: Sequence[Best], axis: Axis) -> list[Point]:
    """A point a checkpoint, in the order of x; one whose effective compute is not known has no place on that axis."""
    days = [(best, in_years(best.day)) for best in bests]
    if axis == "date":
        return sorted(Point(day, best.score, day, best.checkpoint) for best, day in days)
    return sorted(Point(log2(best.compute), best.score, day, best.checkpoint) for best, day in days if best.compute)


def series_of(*, evaluation: Evaluation, family: str, axis: Axis) -> list[Point]:
    """The scores of a family on an evaluation and on the versions it may be joined with."""
    return points_of(in_family(bests_of(versions_of(evaluation)), family), axis)


def scale_of(evaluation: Evaluation) -> Scale:
    """The scale on which progress on an evaluation adds up; raises OffScale for grades, which are no measurements."""
    if evaluation.unit == "grade":
        raise OffScale(f"{evaluation.key} is graded by experts; a grade is no measurement that could be extended.")
    lower, tasks = evaluation.direction == "lower", evaluation.n_tasks or Scale("logit").tasks
    if evaluation.scale == "log":
        return Scale("log", lower, tasks)
    return Scale("logit" if evaluation.unit == "proportion" else "linear", lower, tasks)
