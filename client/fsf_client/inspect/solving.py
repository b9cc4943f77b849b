"""Which tasks an Inspect run solved, from the scores of its samples. Plain Python; inspect_ai is not imported."""

import hashlib
import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

WORDS = {"C": 1.0, "P": 0.5, "I": 0.0, "N": 0.0, "yes": 1.0, "true": 1.0, "no": 0.0, "false": 0.0}
LONGEST_ID, MOST_TASKS = 200, 20_000  # characters of a task's id, tasks of a measurement


@dataclass(frozen=True, slots=True)
class Line:
    """One sample in one epoch as far as it is told: the value of each score, whether it failed or met a limit. No texts."""

    id: str
    epoch: int
    scores: Mapping[str, Any] = field(default_factory=dict)
    failed: bool = False
    limited: bool = False
    metadata: Mapping[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The id where it fits; a longer one, which may be the question itself, becomes its digest."""
        return self.id if 0 < len(self.id) <= LONGEST_ID else hashlib.sha256(self.id.encode()).hexdigest()

    def value(self, scorer: str, score: str) -> Any:
        """The value of one score, or of one part of it; None where it was not scored."""
        value = self.scores.get(scorer)
        value = value.get(score) if isinstance(value, Mapping) else value
        return None if lacks(value) else value


def tasks_of(lines: Iterable[Line], scorer: str, score: str, reducer: str = "mean") -> list[dict[str, Any]]:
    """Solved and attempts of each task where every score is right or wrong; nothing where one is neither, or the reducer has no vector."""
    found = [(line.name, grade(value)) for line in lines if (value := line.value(scorer, score)) is not None]
    least = _least(reducer)
    if least is None or any(number not in (0, 1) for _, number in found):
        return []
    solved, attempts = _tallied(found)
    if len(attempts) > MOST_TASKS:
        return []
    return [{"id": name, **_outcome(least, solved[name], attempts[name])} for name in attempts]


def _tallied(found: Iterable[tuple[str, float | None]]) -> tuple[Counter[str], Counter[str]]:
    """How often each task was solved, and how often it was tried."""
    solved, attempts = Counter[str](), Counter[str]()
    for name, number in found:
        solved[name] += int(number or 0)
        attempts[name] += 1
    return solved, attempts


def _outcome(least: int, solved: int, attempts: int) -> dict[str, int]:
    return {"solved": solved, "attempts": attempts} if least == 0 else {"solved": int(solved >= least), "attempts": 1}


def with_families(tasks: list[dict[str, Any]], lines: list[Line], key: str | None) -> list[dict[str, Any]]:
    """The tasks with what their author clusters standard errors by; without it where one sample does not say it."""
    if key is None or any(key not in line.metadata for line in lines):
        return tasks
    families = {line.name: str(line.metadata[key])[:100] for line in lines}
    return [{**task, **_family(families.get(task["id"]))} for task in tasks]


def _family(name: str | None) -> dict[str, str]:
    return {"family": name} if name else {}


def _least(reducer: str) -> int | None:
    """How many solved attempts make a task solved; 0 where each attempt counts for itself, None where there is no such number."""
    if reducer in {"mean", "unreduced"}:
        return 0
    number = "1" if reducer == "max" else reducer.removeprefix("at_least_")
    return int(number) if number.isdecimal() and int(number) > 0 else None


def grade(value: Any) -> float | None:
    """A score's value as a number, as Inspect reads it; None where there is none."""
    if isinstance(value, str):
        return WORDS.get(value, WORDS.get(value.lower()) if len(value) > 1 else None)
    return finite(float(value)) if isinstance(value, bool | int | float) else None


def lacks(value: Any) -> bool:
    """Whether a score's value, or a part of it, is none: NaN is Inspect's own word for unscored."""
    parts = value.values() if isinstance(value, Mapping) else [value]
    return any(part is None or (isinstance(part, float) and math.isnan(part)) for part in parts)


def finite(value: Any) -> float | None:
    """The number, where it is one that can be stored."""
    return value if isinstance(value, int | float) and math.isfinite(value) else None
