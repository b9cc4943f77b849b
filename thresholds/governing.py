"""Which lines judge a run: those of the framework version that was in force for its developer when it was taken."""

import datetime as dt
from collections.abc import Iterable

from thresholds.models import Framework, Threshold

_kept: dict[int, tuple[tuple[str, dt.datetime], list[Threshold]]] = {}


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


def lines_of(framework: Framework) -> list[Threshold]:
    """Every line of a framework version, with its level and evaluation, in the order of the file; not to be changed by the caller.

    A version never changes, so a process reads its lines once. `framework` is read from the database for each judgement: lines
    that were kept for a row of other content, or loaded at another moment, are read again.
    """
    stamp = (framework.digest, framework.loaded)
    kept = _kept.get(framework.pk)
    if kept is None or kept[0] != stamp:
        lines = Threshold.objects.select_related("level__framework", "evaluation").filter(level__framework=framework)
        kept = _kept[framework.pk] = (stamp, list(lines.order_by("pk")))
    return kept[1]


def lines_for(*, evaluation_id: int, developer: str, on: dt.date) -> list[Threshold]:
    """The lines that read an evaluation for a developer on a day, with their level and framework, ordered by level and kind."""
    lines = [line for framework in governing(developer, on) for line in lines_of(framework) if line.evaluation_id == evaluation_id]
    return sorted(lines, key=lambda line: (line.level_id, line.kind))
