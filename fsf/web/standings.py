"""Where a checkpoint stands at a level and why: the reading that leads, the others beside it, and the way to sign a held state down."""

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from fsf.web.forms import ActForm, SignDownForm
from fsf.web.matrix import Cell, cell_of
from thresholds.evidence import LineFact, current, rank, summarise
from thresholds.models import LevelStatus, Threshold


@dataclass(frozen=True, slots=True)
class Bound:
    """A sign-down form that came back filled in wrongly, and the status it was for."""

    status_id: int
    form: ActForm


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
    """What each evaluation says now, the most serious first."""
    found = [current(slots) for slots in status.readings.values()]
    return sorted((reading for reading in found if reading is not None), key=lambda each: (-rank(each["state"]), each["evaluation"]))


def lowerable(status: LevelStatus) -> bool:
    """Whether the evidence has come to stand below a held state, so that a signature can lower it."""
    return status.latched and rank(status.reading_state) <= rank("watch")


def missing_of(status: LevelStatus, lines: Iterable[Threshold]) -> tuple[str, ...]:
    """The required evaluations that nobody has run on this checkpoint, once any has been."""
    facts = [LineFact(line.evaluation.key, line.kind, line.required, line.alternative) for line in lines]
    return summarise(status.readings, facts).missing if status.readings else ()


def of(status: LevelStatus, lines: Sequence[Threshold], now: dt.datetime, *, may_sign: bool, bound: Bound | None) -> Standing:
    """One status for the page; `bound` is a sign-down form that came back filled in wrongly."""
    readings = readings_of(status)
    return Standing(
        status=status,
        cell=cell_of(status, newest=status.level.framework, now=now),
        leading=readings[0] if readings else None,
        others=readings[1:],
        missing=missing_of(status, lines),
        form=_form(status, bound) if may_sign and lowerable(status) else None,
    )


def _form(status: LevelStatus, bound: Bound | None) -> ActForm:
    if bound is not None and bound.status_id == status.pk:
        return bound.form
    return SignDownForm(auto_id=f"sign-down-{status.pk}-%s")
