"""What the client noted down for itself, and how it is compared with what the database holds."""

import json
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any


class Ledger:
    """A file of the runs that the server said it has: external id and number, one a line; any number of threads may write."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        path.touch()

    def note(self, external_id: str, number: int) -> None:
        """The server said that it has this."""
        with self._lock, self.path.open("a") as out:
            out.write(f"{json.dumps([external_id, number])}\n")

    def read(self) -> list[tuple[str, int]]:
        """Everything noted, oldest first."""
        return [(str(name), int(number)) for name, number in map(json.loads, self.path.read_text().splitlines())]


@dataclass(frozen=True, slots=True)
class Compared:
    """External ids: `lost` were posted or acknowledged and are not there; `double` are there twice; `renamed` under another number than
    was said; `strange` were never posted. `wrong` says what else does not hold."""

    acknowledged: int
    lost: tuple[str, ...]
    double: tuple[str, ...]
    renamed: tuple[str, ...]
    strange: tuple[str, ...]
    wrong: tuple[str, ...]

    @property
    def holds(self) -> bool:
        """Whether nothing was lost, doubled, renamed, made up or left half done."""
        return not (self.lost or self.double or self.renamed or self.strange or self.wrong)

    def __str__(self) -> str:
        """One line."""
        counts = ", ".join(f"{name} {len(getattr(self, name))}" for name in ("lost", "double", "renamed", "strange"))
        return f"{self.acknowledged:,} acknowledged: {counts}; {'; '.join(self.wrong) or 'each judged once, the audit chain holds'}"


def compare(posted: Iterable[str], noted: Sequence[tuple[str, int]], rows: Mapping[str, Any]) -> Compared:
    """`rows` are those of bench.faults.rows; everything posted must be there once all is delivered."""
    runs: Mapping[str, Sequence[int]] = rows["runs"]
    expected = {*posted, *(name for name, _ in noted)}
    wrong = [f"{count} {what}" for what, count in rows["wrong"].items() if count]
    if rows["broken"] is not None:
        wrong.append(f"the audit chain breaks at {rows['broken']}")
    return Compared(
        acknowledged=len({name for name, _ in noted}),
        lost=tuple(sorted(expected - runs.keys())),
        double=tuple(sorted(name for name, numbers in runs.items() if len(numbers) > 1)),
        renamed=tuple(sorted(name for name, number in noted if name in runs and number not in runs[name])),
        strange=tuple(sorted(runs.keys() - expected)),
        wrong=tuple(wrong),
    )
