"""What needs a person: which statuses count (those that bind), how they are ranked, and the facts of the overview's sentence."""

import datetime as dt
from collections.abc import Iterable

from django.db.models import Case, Count, IntegerField, Q, QuerySet, Value, When

from crises.models import Crisis
from fsf.web.looks import SEVERITY
from fsf.web.matrix import Drawn
from fsf.web.situation import Facts, Plan, Standing
from thresholds.models import Framework, LevelStatus

NEEDS = Q(state__in=["critical", "alert", "inconclusive", "watch"]) | Q(differs=True)
_RANK = Case(*(When(state=state, then=Value(rank)) for rank, state in enumerate(SEVERITY)), output_field=IntegerField())


def is_stale(frameworks: Iterable[Framework], now: dt.datetime) -> Q:
    """Statuses whose evidence is older than their framework version allows."""
    stale = Q(pk__in=[])
    for framework in frameworks:
        stale |= Q(level__framework_id=framework.pk, taken__lt=now - dt.timedelta(days=framework.retest_days))
    return stale


def light(statuses: "QuerySet[LevelStatus]") -> "QuerySet[LevelStatus]":
    """The columns a cell needs and their relations, without the long texts."""
    return statuses.select_related("checkpoint__model", "level__framework", "evaluation").defer(
        "readings", "message", "level__definition", "level__framework__summary", "level__framework__notes", "evaluation__description"
    )


def ranked(limit: int) -> list[LevelStatus]:
    """The statuses that need a person, worst first; a line the lab published before an illustrative one, then the newest."""
    return list(light(LevelStatus.objects.filter(NEEDS, binding=True)).order_by(_RANK, "illustrative", "-since", "-pk")[:limit])


def tally(frameworks: Iterable[Framework], now: dt.datetime) -> dict[str, int]:
    """How many statuses there are of every sort the sentence counts, in one query."""
    return LevelStatus.objects.filter(binding=True).aggregate(
        judged=Count("pk", filter=~Q(state="no_result")),
        reached=Count("pk", filter=Q(state__in=["alert", "critical"])),
        unresolved=Count("pk", filter=Q(state="inconclusive")),
        watched=Count("pk", filter=Q(state="watch")),
        differing=Count("pk", filter=Q(differs=True)),
        needing=Count("pk", filter=NEEDS),
        stale=Count("pk", filter=is_stale(frameworks, now)),
    )


def _worst(attention: list[LevelStatus], drawn: Drawn, judged: int) -> Standing | None:
    """The first ranked status, unless it only differs from the lab's own words; else that all is clear, if anything was judged."""
    if attention and attention[0].state not in {"clear", "no_result"}:
        first = attention[0]
        return Standing(first.checkpoint.model.name, first.level.name, first.state, first.illustrative, drawn.early(first))
    return Standing("", "", "clear") if judged else None


def crisis_of(attention: list[LevelStatus], crises: Iterable[Crisis]) -> Crisis | None:
    """The open crisis about the worst status, or else the first open one."""
    open_crises = list(crises)
    if attention:
        worst = (attention[0].checkpoint.model_id, attention[0].level_id)
        for crisis in open_crises:
            if (crisis.model_id, crisis.level_id) == worst:
                return crisis
    return open_crises[0] if open_crises else None


def facts_of(counts: dict[str, int], attention: list[LevelStatus], drawn: Drawn, plan: Plan | None, open_crises: int) -> Facts:
    """The facts of the overview's sentence."""
    return Facts(
        worst=_worst(attention, drawn, counts["judged"]),
        plan=plan,
        open_crises=open_crises,
        reached=counts["reached"],
        unresolved=counts["unresolved"],
        watched=counts["watched"],
        judged=counts["judged"],
        stale=counts["stale"],
        differing=counts["differing"],
        lost=counts["lost"],
    )
