"""Which lines judge a run: those of the framework version that was in force for its developer when it was taken."""

import datetime as dt
from collections.abc import Iterable

from thresholds.models import Framework, Threshold


def in_force(frameworks: Iterable[Framework], on: dt.date) -> list[Framework]:
    """Of each framework the newest version effective by that day, or its first version where all came later."""
    chosen: dict[str, Framework] = {}
    for framework in sorted(frameworks, key=lambda each: each.effective_from):
        if framework.slug not in chosen or framework.effective_from <= on:
            chosen[framework.slug] = framework
    return list(chosen.values())


def governing(developer: str, on: dt.date) -> list[Framework]:
    """The framework versions in force for a developer's models on a day."""
    return in_force(Framework.objects.filter(developer__iexact=developer), on)


def lines_for(*, evaluation_id: int, developer: str, on: dt.date) -> list[Threshold]:
    """The lines that read an evaluation for a developer on a day, with their level and framework, ordered by level and kind."""
    return list(
        Threshold.objects.select_related("level__framework")
        .filter(evaluation_id=evaluation_id, level__framework__in=governing(developer, on))
        .order_by("level_id", "kind")
    )
