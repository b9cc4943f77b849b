"""Runs that have no result yet: those that are waited for, and those that were lost and that nothing has made up for."""

import datetime as dt
from dataclasses import dataclass

from django.db.models import QuerySet

from crises.watch_messages import progress
from evals.heartbeats import losses, running
from evals.models import EvalRun, Heartbeat

SHOWN = 6
RELATED = ("checkpoint", "evaluation", "heartbeat", "supersedes__heartbeat")


@dataclass(frozen=True, slots=True)
class Underway:
    """One run as lists show it; `state` is running or lost, `seen` its last sign."""

    run: EvalRun
    state: str
    said: str
    seen: dt.datetime


def said(heartbeat: Heartbeat | None) -> str:
    """How far a run said it was; empty where it said nothing."""
    return progress(heartbeat.completed, heartbeat.planned) if heartbeat and heartbeat.completed is not None else ""


def heartbeat_of(run: EvalRun) -> Heartbeat | None:
    """The signs of a started run, or of the start that was given up with a lost one; they must be loaded."""
    start = run.supersedes if run.status == "lost" and run.supersedes else run
    return getattr(start, "heartbeat", None)


def underway(**about: object) -> tuple[list[Underway], int]:
    """The lost runs, then the running ones, the newest first, with how many lost ones there are; `about` narrows them down."""
    lost, live = losses().filter(**about), running().filter(**about)
    return [*_shown(lost, "lost"), *_shown(live, "running")], lost.count()


def _shown(runs: "QuerySet[EvalRun]", state: str) -> list[Underway]:
    found = runs.select_related(*RELATED).order_by("-completed", "-pk")[:SHOWN]
    return [_one(run, state, heartbeat_of(run)) for run in found]


def _one(run: EvalRun, state: str, heartbeat: Heartbeat | None) -> Underway:
    return Underway(run, state, said(heartbeat), heartbeat.seen if heartbeat else run.completed)
