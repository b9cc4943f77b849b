"""Runs that have no result yet: those that are waited for, and those that were lost and that nothing has made up for."""

import datetime as dt
from dataclasses import dataclass
from typing import Any

from django.core.paginator import Page, Paginator
from django.db.models import F, QuerySet
from django.db.models.lookups import IsNull

from crises.watch_messages import progress
from evals.heartbeats import losses, running, unreplaced
from evals.models import EvalRun, Heartbeat

SHOWN = 6
ROWS_PER_PAGE = 50
RELATED = ("checkpoint__model", "evaluation", "heartbeat", "supersedes__heartbeat")


@dataclass(frozen=True, slots=True)
class Underway:
    """One run as lists show it; `state` is running or lost, `seen` its last sign, `posted_by` who started it."""

    run: EvalRun
    state: str
    said: str
    seen: dt.datetime
    posted_by: str

    @property
    def made_up(self) -> str:
        """The later run that made up for a lost one, where one did and was asked for."""
        number = getattr(self.run, "made_up", None)
        return f"R-{number}" if number else ""


def said(heartbeat: Heartbeat | None) -> str:
    """How far a run said it was; empty where it said nothing."""
    return progress(heartbeat.completed, heartbeat.planned) if heartbeat and heartbeat.completed is not None else ""


def heartbeat_of(run: EvalRun) -> Heartbeat | None:
    """The signs of a started run, or of the start that was given up with a lost one; they must be loaded."""
    return getattr(_start_of(run), "heartbeat", None)


def _start_of(run: EvalRun) -> EvalRun:
    return run.supersedes if run.status == "lost" and run.supersedes else run


def underway(**about: object) -> tuple[list[Underway], int]:
    """The lost runs, then the running ones, the newest first, with how many lost ones there are; `about` narrows them down."""
    lost, live = losses().filter(**about), running().filter(**about)
    return [*_shown(lost, "lost"), *_shown(live, "running")], lost.count()


def lost_page(number: str) -> Page[Underway]:
    """A page of every lost run that no revision replaced: first those that nothing has made up for, the newest first."""
    ordered = unreplaced().select_related(*RELATED).order_by(IsNull(F("made_up"), False), "-completed", "-pk")
    return _page(ordered, "lost", number)


def running_page(number: str) -> Page[Underway]:
    """A page of the runs that are waited for, the one that was started last first."""
    return _page(running().select_related(*RELATED).order_by("-received", "-pk"), "running", number)


def _page(runs: "QuerySet[EvalRun]", state: str, number: str) -> Page[Any]:
    page: Page[Any] = Paginator(runs, ROWS_PER_PAGE).get_page(number)
    page.object_list = [_one(run, state) for run in page.object_list]
    return page


def _shown(runs: "QuerySet[EvalRun]", state: str) -> list[Underway]:
    return [_one(run, state) for run in runs.select_related(*RELATED).order_by("-completed", "-pk")[:SHOWN]]


def _one(run: EvalRun, state: str) -> Underway:
    heartbeat = heartbeat_of(run)
    if heartbeat is None:
        return Underway(run, state, "", run.completed, _name(run))
    return Underway(run, state, said(heartbeat), heartbeat.seen, _name(heartbeat.run))


def _name(run: EvalRun) -> str:
    """Who posted it, without what kind of account it is."""
    return run.posted_by.partition(":")[2]
