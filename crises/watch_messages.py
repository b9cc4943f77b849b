"""What the mails about a run that fell silent say. Plain Python: facts in, a Message out; never any evaluation content."""

import datetime as dt
from dataclasses import dataclass
from typing import Any

from alerts.message import Message, at

WHY = "You get this because your account is set to be alerted to crossings and escalations."


@dataclass(frozen=True, slots=True)
class Silent:
    """A run that was started, as far as its mails speak of it; `names` are the levels that it leaves without a reading."""

    ref: str
    number: int
    evaluation: str
    checkpoint: str
    slug: str
    producer: str
    posted_by: str
    seen: dt.datetime
    allowed: dt.timedelta
    completed: int | None
    planned: int | None
    names: tuple[str, ...] = ()

    @property
    def subject(self) -> str:
        """The same in every mail about it, so that they stay one thread."""
        return f"[LOST] {self.evaluation}, {self.checkpoint}: nothing heard for {span(self.allowed)}"


def span(length: dt.timedelta) -> str:
    """A length of time in the largest unit that fits it: 45 s, 15 min, 3 h."""
    seconds = round(length.total_seconds())
    for size, unit in ((3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds} s"


def progress(completed: int | None, planned: int | None) -> str:
    """How far it was: 30 of 100 samples."""
    if completed is None:
        return "not said"
    return f"{completed} samples" if planned is None else f"{completed} of {planned} samples"


def lost(run: Silent, *, site: str) -> Message:
    """The alarm: which run fell silent, what is unknown by that, and how it ends."""
    levels = f"{', '.join(run.names)} cannot be read as clear by it." if run.names else "No line in force reads this evaluation."
    return Message(
        subject=run.subject,
        headline=f"{run.ref}, {run.evaluation} on {run.checkpoint}, is lost: nothing was heard of it since {at(run.seen)}.",
        situation=f"What it would have measured is unknown. {levels}",
        ask=f"Find out whether {run.producer} still runs it: its next sign or its result ends this alarm. If it is gone, run it again.",
        facts=[
            ["Last sign", run.seen],
            ["Allowed silence", span(run.allowed)],
            ["Progress", progress(run.completed, run.planned)],
            ["Posted by", run.posted_by],
        ],
        severity="alert",
        **_common(run, site),
    )


def heard(run: Silent, *, now: dt.datetime, site: str) -> Message:
    """The end of the alarm: the run lives."""
    return Message(
        subject=run.subject,
        headline=f"{run.ref}, {run.evaluation} on {run.checkpoint}, was heard of again at {at(now)}: the alarm is over.",
        situation=f"It runs on; it has said {progress(run.completed, run.planned)}. Its levels are read as if it had not been lost.",
        facts=[["Silent since", run.seen], ["Heard again", now]],
        severity="info",
        **_common(run, site),
    )


def _common(run: Silent, site: str) -> dict[str, Any]:
    return {
        "link": f"{site}/checkpoints/{run.slug}/#runs",
        "link_text": "Open the checkpoint",
        "why": WHY,
        "list_id": "lost-runs",
        "list_name": "fsf alerts, lost runs",
        "thread_topic": f"{run.evaluation}, {run.checkpoint} [{run.ref}]",
    }
