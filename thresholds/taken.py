"""A run of a batch, and the lines that read it, with what is asked of each of ten thousand at hand."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import NamedTuple

from evals.models import EvalResult, EvalRun
from thresholds.combining import Needs, Rule
from thresholds.decided import Drawn, drawn_of
from thresholds.governing import lines_of, needs_at, rule_of
from thresholds.judging import frozen_at
from thresholds.models import CapabilityLevel, Framework, Threshold


@dataclass(frozen=True, slots=True)
class Group:
    """The lines of one level that read an evaluation, when they were published here, and what the level asks for."""

    lines: list[Threshold]
    drawn: Drawn
    level: CapabilityLevel
    level_id: int
    frozen: dt.datetime | None
    needs: Needs
    rule: Rule


_kept: dict[int, tuple[list[Threshold], dict[int, list[Group]]]] = {}


def groups_in(framework: Framework) -> dict[int, list[Group]]:
    """By evaluation the groups of a framework version, in the order of levels; kept as long as its lines are."""
    lines, kept = lines_of(framework), _kept.get(framework.id)
    if kept is None or kept[0] is not lines:
        kept = _kept[framework.id] = lines, _groups(lines)
    return kept[1]


def _groups(lines: Sequence[Threshold]) -> dict[int, list[Group]]:
    groups: dict[int, list[Group]] = {}
    ordered = sorted(lines, key=lambda line: (line.evaluation_id, line.level_id, line.kind))
    for (evaluation, _), some in groupby(ordered, key=lambda line: (line.evaluation_id, line.level_id)):
        groups.setdefault(evaluation, []).append(_group(list(some)))
    return groups


def _group(lines: list[Threshold]) -> Group:
    level = lines[0].level
    return Group(lines, drawn_of(lines), level, level.pk, frozen_at(lines), needs_at(level), rule_of(level))


class Taken(NamedTuple):
    """One run with the result that lines are compared with, and the levels that read it; `alone` where it is judged by itself.

    `pair` are the ids of its checkpoint and evaluation: of ten thousand runs they are asked for too often to ask the row.
    """

    position: int
    run: EvalRun
    pair: tuple[int, int]
    result: EvalResult | None
    groups: Sequence[Group]
    alone: bool
