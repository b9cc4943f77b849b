"""What a schedule asks for: when it runs, which program with which arguments, and what its result must be about. Plain Python."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

PRODUCER = "fsf-schedule"


class OtherSubject(ValueError):
    """The program reports on another checkpoint or evaluation than it was asked for."""


@dataclass(frozen=True, slots=True)
class Slot:
    """The due time that a run answers, and the due time after it."""

    answered: dt.datetime
    next_due: dt.datetime


@dataclass(frozen=True, slots=True)
class Request:
    """What the run of one slot was to measure, and when it ran."""

    external_id: str
    checkpoint: str
    evaluation: str
    started: str | None
    completed: str
    provenance: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Ending:
    """How a job ended: the status of its run and, unless that is success, the reason in words."""

    status: str
    reason: str = ""


def next_slot(due: dt.datetime, every_minutes: int, now: dt.datetime) -> Slot:
    """The newest slot at or before `now`, and the one after it, which lies ahead.

    Slots that were missed while nothing ran (a worker was down, the run before took long) are answered by this one run.
    Raises ValueError where nothing is due yet or the interval is no interval.
    """
    if every_minutes < 1:
        raise ValueError(f"A schedule repeats after 1 minute or more, not after {every_minutes}.")
    if due > now:
        raise ValueError(f"Nothing is due before {due.isoformat()}.")
    every = dt.timedelta(minutes=every_minutes)
    answered = due + (now - due) // every * every
    return Slot(answered, answered + every)


def external_id(schedule_id: int, slot: dt.datetime) -> str:
    """The name a slot's run is recorded under, so that recording it twice changes nothing; to the second where it has any."""
    form = "%Y%m%dT%H%M%SZ" if slot.second or slot.microsecond else "%Y%m%dT%H%MZ"
    return f"schedule-{schedule_id}-{slot.astimezone(dt.UTC).strftime(form)}"


def fill_command(command: Any, values: Mapping[str, str]) -> list[str]:
    """The arguments with `{name}` replaced by its value; raises ValueError where the command is no list of arguments."""
    if not isinstance(command, list) or not command or not all(isinstance(part, str) for part in command):
        raise ValueError("the command must be a list of arguments, the program first")
    for name, value in values.items():
        command = [part.replace(f"{{{name}}}", value) for part in command]
    return list(command)


def compose_body(request: Request, content: Mapping[str, Any], ending: Ending) -> dict[str, Any]:
    """A submission from what a program printed and what is known better here; raises OtherSubject.

    A program that did not end well cannot report success, one that ended has not only started (nothing would ever be heard of it
    again), and the external id is always the slot's.
    """
    asked = {"checkpoint": request.checkpoint, "evaluation": request.evaluation}
    for name, value in asked.items():
        if content.get(name, value) != value:
            raise OtherSubject(f"the program reports on the {name} {content[name]!r}, the schedule asks for {value!r}")
    times = {"started": request.started, "completed": request.completed}
    body: dict[str, Any] = {"producer": {"name": PRODUCER}, **times, **content, **asked, "external_id": request.external_id}
    if ending.status != "success":
        body["status"] = ending.status
    elif content.get("status") == "started":
        ending = Ending("error", "the program ended and reported only that it had started")
        body["status"] = ending.status
    if isinstance(body.setdefault("provenance", {}), dict):
        reason = {"reason": ending.reason[:500]} if ending.reason else {}
        body["provenance"] = {**body["provenance"], **request.provenance, **reason}
    return body
