"""Sending what the outbox holds and what is posted now: posts of a run keep their order, a server that is away is not waited for again."""

import logging
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fsf_client.answers import Receipt, Refused
from fsf_client.delivery import Outcome, Way, deliver
from fsf_client.outbox import Correct, Entry, Outbox, Taken, mark, mark_of, new_entry
from fsf_client.retrying import Unreachable
from fsf_client.transport import Wire

QUIET = 15.0  # seconds after a failure in which posts go to the outbox straight away
DRAIN = 5.0  # seconds that a delivered post may spend on what waits
logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Sent:
    """What became of the outbox: how many posts were delivered, refused, and how many still wait, with the reason."""

    delivered: int = 0
    refused: int = 0
    waiting: int = 0
    reason: str = ""


class Sender:
    """Sends posts to one server; threads may share it."""

    def __init__(self, wire: Wire, outbox: Outbox, *, patience: float, keep_refused: bool) -> None:
        self._wire, self._outbox = wire, outbox
        self._patience, self._keep_refused = patience, keep_refused
        self._failed = -QUIET

    @property
    def is_quiet(self) -> bool:
        """Whether the server was away a moment ago, so that nothing is waited for."""
        return time.monotonic() - self._failed < QUIET

    def send_now(self, body: Mapping[str, Any], correct: Correct, *, dry_run: bool = False) -> Receipt:
        """Send a post that is not kept here, or only ask what it would do; raises Refused and Unreachable."""
        outcome = self._deliver(new_entry(self._wire.url, body, correct), dry_run=dry_run)
        if outcome.result == "later":
            raise Unreachable(outcome.reason)
        return receipt_of(outcome, None)

    def send_kept(self, taken: Taken) -> Receipt:
        """Send what this identity still has waiting, then this; what is not delivered stays in the outbox. Raises Refused."""
        if self._waits_behind(taken):
            return Receipt("queued", kept=taken.later(), reason="An earlier post of the same run waits too.")
        outcome = self._send_taken(taken)
        if outcome.result == "later":
            logger.warning("Not posted, kept in %s: %s", self._outbox.folder, outcome.reason)
            return Receipt("queued", kept=self._outbox.pending / taken.entry.name, reason=outcome.reason)
        receipt = receipt_of(outcome, self._outbox.refused / taken.entry.name if self._keep_refused else None)
        self.send_outbox(seconds=DRAIN)
        return receipt

    def received(self, body: Mapping[str, Any], outcome: Outcome, correct: Correct) -> Receipt:
        """The receipt of a post that was sent among others; what is not delivered goes to the outbox. Raises Refused and OutboxFull."""
        if outcome.result == "later":
            return Receipt("queued", kept=self._outbox.put(self._wire.url, body, correct=correct).later(), reason=outcome.reason)
        kept = None
        if outcome.result == "refused" and self._keep_refused:
            kept = self._outbox.put(self._wire.url, body, correct=correct).refused({**(outcome.problem or {}), "reason": outcome.reason})
        return receipt_of(outcome, kept)

    def send_outbox(self, *, refused: bool = False, seconds: float = float("inf")) -> Sent:
        """Send what waits for this server, oldest first; `refused` sends what was refused once more too."""
        if refused:
            self._outbox.retry_refused(self._wire.url)
        self._outbox.recover()
        done = list(self._send_waiting(time.monotonic() + seconds))
        kept = [outcome.reason for outcome in done if outcome.result == "later"]
        refusals = sum(outcome.result == "refused" for outcome in done)
        return Sent(len(done) - len(kept) - refusals, refusals, len(self._outbox.names(self._wire.url)), kept[-1] if kept else "")

    def _waits_behind(self, taken: Taken) -> bool:
        """Whether an earlier post of the same run cannot be sent yet."""
        same = mark(self._wire.url, taken.entry.body)
        earlier = {name for name in self._outbox.names(self._wire.url) if mark_of(name) == same and name < taken.entry.name}
        if earlier:
            self.send_outbox()
        return bool(earlier) and not earlier.isdisjoint(self._outbox.names(self._wire.url))

    def _send_waiting(self, until: float) -> Iterator[Outcome]:
        """Send one after the other; behind a post that must wait, those of the same run wait too."""
        held: set[str] = set()
        for name in self._outbox.names(self._wire.url):
            if time.monotonic() > until:
                return
            for outcome in self._send_unless(held, name):
                yield outcome
                if outcome.down:
                    return

    def _send_unless(self, held: set[str], name: str) -> Iterator[Outcome]:
        """Send one of the outbox, unless its run waits; what another process has, or must wait, holds its run."""
        outcome = None if mark_of(name) in held else self._send_named(name)
        if outcome is None or outcome.result == "later":
            held.add(mark_of(name))
        if outcome is not None:
            yield outcome

    def _send_named(self, name: str) -> Outcome | None:
        """Send one of the outbox; None where another process has it."""
        taken = self._outbox.take(name)
        return None if taken is None else self._send_taken(taken)

    def _send_taken(self, taken: Taken) -> Outcome:
        try:
            outcome = self._deliver(taken.entry)
        except BaseException:
            taken.later()
            raise
        self._settle(taken, outcome)
        return outcome

    def _settle(self, taken: Taken, outcome: Outcome) -> None:
        if outcome.result == "later":
            taken.later()
        elif outcome.result == "refused" and self._keep_refused:
            taken.refused({**(outcome.problem or {}), "reason": outcome.reason})
        else:
            taken.delivered()

    def _deliver(self, entry: Entry, *, dry_run: bool = False) -> Outcome:
        outcome = deliver(Way(self._wire, 0 if self.is_quiet else self._patience, dry_run=dry_run), entry)
        self._failed = time.monotonic() if outcome.down else -QUIET
        return outcome


def receipt_of(outcome: Outcome, kept: Path | None) -> Receipt:
    """The receipt of a post that came to its end; raises Refused."""
    if outcome.result == "refused":
        raise Refused(outcome.reason, problem=outcome.problem, kept=kept)
    assert outcome.result != "later"  # noqa: S101 - told to the type checker
    return Receipt(outcome.result, reply=outcome.reply or {}, reason=outcome.reason)
