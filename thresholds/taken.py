"""A run of a batch, and the lines that read it, with what is asked of each of ten thousand at hand."""

import datetime as dt
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from evals.models import EvalResult, EvalRun
from thresholds.decided import Drawn, Said, drawn_of
from thresholds.judging import frozen_at
from thresholds.models import CapabilityLevel, Threshold


@dataclass(frozen=True, slots=True)
class Group:
    """The lines of one level that read an evaluation on a day, when they were published here, and what was said of them in this batch."""

    lines: list[Threshold]
    drawn: Drawn
    level: CapabilityLevel
    level_id: int
    frozen: dt.datetime | None
    said: dict[Hashable, Said] = field(default_factory=dict)


def group_of(lines: list[Threshold]) -> Group:
    """The lines of one level, with what every run asks of them at hand."""
    level = lines[0].level
    return Group(lines, drawn_of(lines), level, level.pk, frozen_at(lines))


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
