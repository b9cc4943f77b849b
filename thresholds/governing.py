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


def lines_of(framework: Framework) -> list[Threshold]:
    """Every line of a framework version, with its level and evaluation, in the order of the file; not to be changed by the caller.

    A version never changes, so its lines are read once per process. The framework's own row is read for every judgement, and
    lines kept for another row than that one (its content and the moment it was loaded) are never used.
    """
    stamp, lines = _kept.get(framework.pk, (None, []))
    if stamp != (framework.digest, framework.loaded):
        stamp = (framework.digest, framework.loaded)
        lines = list(Threshold.objects.select_related("level__framework", "evaluation").filter(level__framework=framework).order_by("pk"))
        _kept[framework.pk] = (stamp, lines)
    return lines


_kept: dict[int, tuple[tuple[str, dt.datetime], list[Threshold]]] = {}


def lines_for(*, evaluation_id: int, developer: str, on: dt.date) -> list[Threshold]:
    """The lines that read an evaluation for a developer on a day, with their level and framework, ordered by level and kind."""
    lines = [line for framework in governing(developer, on) for line in lines_of(framework) if line.evaluation_id == evaluation_id]
    return sorted(lines, key=lambda line: (line.level_id, line.kind))
