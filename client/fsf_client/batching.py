"""Posting many runs in few requests; each has an outcome of its own."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from fsf_client.answers import Refused
from fsf_client.delivery import Outcome, judged, told
from fsf_client.outbox import as_json
from fsf_client.retrying import Unreachable, ask
from fsf_client.transport import Request, Wire

MOST_RUNS = 1000  # of one request
MOST_BYTES = 8 * 1024 * 1024
SLOWED = 600.0  # seconds that one request waits where the server asks for fewer

Body = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Batches:
    """Posts to one server; `dry_run`: nothing is stored, and the outcomes say what would be."""

    wire: Wire
    patience: float
    dry_run: bool = False

    def outcomes(self, bodies: Iterable[Body]) -> Iterator[tuple[Body, Outcome]]:
        """The outcome of each; `later` for those that the server does not have. Raises Refused where it takes no batch of this token."""
        away = ""
        for part in parts(bodies):
            found, away = ([], away) if away else self._tried(part)
            yield from zip([body for body, _ in part], found or [Outcome("later", reason=away, down=True)] * len(part), strict=True)

    def _tried(self, part: list[tuple[Body, bytes]]) -> tuple[list[Outcome], str]:
        try:
            return self._posted([line for _, line in part]), ""
        except Unreachable as wrong:
            return [], str(wrong)

    def _posted(self, lines: list[bytes]) -> list[Outcome]:
        """No Idempotency-Key: every run has an identity of its own, so that the same batch again is replayed."""
        path = "runs/batch/?dry_run=true" if self.dry_run else "runs/batch/"
        request = Request("POST", path, b"\n".join(lines), media_type="application/x-ndjson")
        answer = ask(self.wire, request, patience=self.patience, slowed=SLOWED)
        content = answer.content if isinstance(answer.content, Mapping) else {}
        items = content.get("items") or ()
        if answer.status != HTTPStatus.MULTI_STATUS or len(items) != len(lines):
            raise _wrong(answer.status, content)
        return [judged(int(item["status"]), item.get("reply") or item) for item in items]


def _wrong(status: int, content: Body) -> Exception:
    if content.get("code"):
        return Refused(told(content), status=status, problem=content)
    return Unreachable(f"What answered ({status}) is no fsf server that takes many runs at once.")


def parts(bodies: Iterable[Body]) -> Iterator[list[tuple[Body, bytes]]]:
    """The runs with their JSON, as many together as go into one request; raises NotJson."""
    part: list[tuple[Body, bytes]] = []
    size = 0
    for body in bodies:
        line = as_json(body)
        if part and (len(part) == MOST_RUNS or size + len(line) > MOST_BYTES):
            yield part
            part, size = [], 0
        part.append((body, line))
        size += len(line) + 1
    if part:
        yield part
