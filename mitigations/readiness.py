"""When a plan is ready. Plain Python: facts about its items in, a judgement out."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ItemFacts:
    """One item of a checklist as it stands."""

    slug: str
    what: str
    due: dt.date
    owned: bool
    evidenced: bool
    signed: bool


@dataclass(frozen=True, slots=True)
class ItemReadiness:
    """Where one item stands: not_started, in_progress, ready or overdue, and what is missing."""

    slug: str
    state: str
    overdue: bool
    missing: str


@dataclass(frozen=True, slots=True)
class Readiness:
    """Where a whole plan stands; it is ready only when every item is signed off, and an empty plan is never ready."""

    ready: bool
    done: int
    total: int
    overdue: int
    items: tuple[ItemReadiness, ...]
    ends: dt.date | None

    @property
    def sentence(self) -> str:
        """One sentence for pages, mails and refusals."""
        if not self.total:
            return "No measures are agreed for this level, so nothing can be ready."
        late = f", {self.overdue} overdue" if self.overdue else ""
        return f"{self.done} of {self.total} mitigations are ready{late}."


def judge(items: Sequence[ItemFacts], today: dt.date) -> Readiness:
    """Judge a checklist on a day."""
    found = tuple(_judge_item(item, today) for item in items)
    done = sum(item.state == "ready" for item in found)
    return Readiness(
        ready=bool(found) and done == len(found),
        done=done,
        total=len(found),
        overdue=sum(item.overdue for item in found),
        items=found,
        ends=max((item.due for item in items), default=None),
    )


def _judge_item(item: ItemFacts, today: dt.date) -> ItemReadiness:
    if item.signed:
        return ItemReadiness(item.slug, "ready", overdue=False, missing="")
    late = item.due < today
    missing = "a second person's sign-off" if item.evidenced else "evidence"
    state = "overdue" if late else "in_progress" if item.owned or item.evidenced else "not_started"
    return ItemReadiness(item.slug, state, late, missing)
