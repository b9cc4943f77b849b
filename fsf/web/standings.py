"""Where a checkpoint stands at a level and why: the reading that leads, the others beside it, and the way to sign a held state down."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from fsf.web.forms import ActForm, SignDownForm
from fsf.web.matrix import Cell
from thresholds.evidence import LineFact, current, rank, summarise
from thresholds.models import LevelStatus, Threshold


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


def of(status: LevelStatus, cell: Cell, lines: Iterable[Threshold], *, may_sign: bool, bound: ActForm | None) -> Standing:
    """One status for the page; `bound` is a sign-down form that came back filled in wrongly."""
    readings = readings_of(status)
    form = bound or SignDownForm(auto_id=f"sign-down-{status.pk}-%s") if may_sign and lowerable(status) else None
    return Standing(status, cell, readings[0] if readings else None, readings[1:], missing_of(status, lines), form)
