"""Where a checkpoint stands at a level and why: the reading that leads, the others beside it, and the way to sign a held state down."""

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from fsf.web.acting import Act, Bound, form_for
from fsf.web.forms import ActForm, SignDownForm
from fsf.web.matrix import Cell, Drawn, cell_of
from thresholds.evidence import LineFact, current, rank, summarise
from thresholds.models import LevelStatus, Threshold
from thresholds.signdown import sign_down

SIGN_DOWN = Act(SignDownForm, sign_down, "Signed down. The reason is kept with your signature.")


@dataclass(frozen=True, slots=True)
class Standing:
    """One status with its readings, the leading one first; `form` is there only where the reader may sign the state down."""

    status: LevelStatus
    cell: Cell
    leading: dict[str, Any] | None
    others: list[dict[str, Any]]
    missing: tuple[str, ...]
    form: ActForm | None


def readings_of(status: LevelStatus) -> list[dict[str, Any]]:
    """What each evaluation says now: the one that leads the status, then the most serious first."""
    leading = status.evaluation.key if status.evaluation else ""
    found = [reading for slots in status.readings.values() if (reading := current(slots)) is not None]
    return sorted(found, key=lambda each: (each["evaluation"] != leading, -rank(each["state"]), each["evaluation"]))


def lowerable(status: LevelStatus) -> bool:
    """Whether complete evidence rules out what a held state says, so that a signature can lower it."""
    return status.latched and status.reading_state == "clear"


def missing_of(status: LevelStatus, lines: Iterable[Threshold]) -> tuple[str, ...]:
    """The required evaluations that nobody has run on this checkpoint, once any has been."""
    facts = [LineFact(line.evaluation.key, line.kind, line.required, line.alternative) for line in lines]
    return summarise(status.readings, facts).missing if status.readings else ()


def of(status: LevelStatus, lines: Sequence[Threshold], now: dt.datetime, *, may_sign: bool, bound: Bound | None) -> Standing:
    """One status for the page; the form only for those who may sign down what can be lowered."""
    readings = readings_of(status)
    drawn = Drawn((line.level_id, line.evaluation_id, line.kind) for line in lines)
    return Standing(
        status=status,
        cell=cell_of(status, drawn=drawn, newest=status.level.framework, now=now),
        leading=readings[0] if readings else None,
        others=readings[1:],
        missing=missing_of(status, lines),
        form=form_for(SIGN_DOWN, status.pk, bound) if may_sign and lowerable(status) else None,
    )
