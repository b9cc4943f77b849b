"""What the client hands back: a receipt for a run, the gate's answer, and the refusals it raises."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

Verdict = Literal["pass", "hold", "unknown"]
VERDICTS: tuple[Verdict, ...] = ("pass", "hold", "unknown")
Outcome = Literal["created", "replayed", "superseded", "overtaken", "queued"]


class Refused(Exception):
    """The server understood the request and said no; `problem` is its RFC 9457 body, `kept` where the post lies now, if anywhere."""

    def __init__(self, reason: str, *, status: int = 0, problem: Mapping[str, Any] | None = None, kept: Path | None = None) -> None:
        super().__init__(reason if kept is None else f"{reason}\nIt is kept in {kept}.")
        self.reason = reason
        self.problem = dict(problem or {})
        self.status = status or int(self.problem.get("status") or 0)
        self.kept = kept

    @property
    def code(self) -> str:
        """The stable code of the problem, or nothing."""
        return str(self.problem.get("code", ""))


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of a posted run. `queued`: the server does not have it yet; it is kept at `kept`, and `reason` says why."""

    outcome: Outcome
    reply: Mapping[str, Any] = field(default_factory=dict)
    kept: Path | None = None
    reason: str = ""

    @property
    def delivered(self) -> bool:
        """Whether the server has it."""
        return self.outcome != "queued"

    @property
    def ref(self) -> str:
        """The stored run's short name, such as R-12; nothing where it is not known."""
        return str(self.reply.get("ref") or "")

    @property
    def verdicts(self) -> list[dict[str, Any]]:
        """What each line that read the run says."""
        return list(self.reply.get("verdicts", []))

    @property
    def crossings(self) -> list[dict[str, Any]]:
        """The levels that rose to alert or critical by this run."""
        return list(self.reply.get("crossings", []))


@dataclass(frozen=True, slots=True)
class GateAnswer:
    """May this checkpoint be deployed at this stage? Only `pass` is a pass."""

    verdict: Verdict
    checkpoint: str
    stage: str
    reasons: tuple[Mapping[str, Any], ...] = ()
    frameworks: tuple[str, ...] = ()
    at: str = ""

    @property
    def passed(self) -> bool:
        """Whether it may."""
        return self.verdict == "pass"

    def as_dict(self) -> dict[str, Any]:
        """As the API says it."""
        return {
            "verdict": self.verdict,
            "reasons": [dict(reason) for reason in self.reasons],
            "checkpoint": self.checkpoint,
            "stage": self.stage,
            "frameworks": list(self.frameworks),
            "at": self.at,
        }


def gate_answer(content: Any, *, checkpoint: str, stage: str) -> GateAnswer:
    """Read the gate's answer closed: a word that is not known, or an answer to another question, is `unknown`."""
    said = content if isinstance(content, Mapping) else {}
    frameworks, at = tuple(map(str, said.get("frameworks") or ())), str(said.get("at", ""))
    verdict = _verdict(said.get("verdict"))
    if verdict is None or (said.get("checkpoint"), said.get("stage")) != (checkpoint, stage):
        unreadable = reason("unreadable", "What the server answered is no answer to this question.")
        return GateAnswer("unknown", checkpoint, stage, (unreadable,), frameworks, at)
    reasons = tuple(each for each in said.get("reasons") or () if isinstance(each, Mapping))
    return GateAnswer(verdict, checkpoint, stage, reasons, frameworks, at)


def _verdict(said: Any) -> Verdict | None:
    return next((word for word in VERDICTS if word == said), None)


def reason(code: str, detail: str) -> dict[str, Any]:
    """A reason of the client's own, in the shape of the server's."""
    return {"level": None, "code": code, "detail": detail}
