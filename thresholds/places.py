"""The row of a checkpoint at a level: made before the first result, and locked before it is changed."""

import datetime as dt
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from functools import reduce
from operator import or_

from django.db.models import Q, QuerySet

from database.asking import is_quick
from evals.models import Checkpoint
from thresholds.evidence import LATCHING, rank
from thresholds.governing import governs
from thresholds.models import CapabilityLevel, Forecast, Framework, LevelStatus
from thresholds.moved import moved_lines, moved_words
from thresholds.quickly import lock_places

MOST_KNOWN = 100_000
Place = tuple[int, int]  # checkpoint id, level id
Places = Mapping[Place, tuple[Checkpoint, CapabilityLevel]]
_known: set[Place] = set()  # places whose rows were seen: a row is never deleted


def locked_statuses(checkpoints: Sequence[Checkpoint], levels: Sequence[CapabilityLevel], now: dt.datetime) -> dict[Place, LevelStatus]:
    """The rows of some checkpoints at some levels: see `locked_places`."""
    return locked_places({(each.pk, level.pk): (each, level) for level in levels for each in checkpoints}, now)


def locked_places(places: Places, now: dt.datetime) -> dict[Place, LevelStatus]:
    """The rows of some places, made before the first result and then locked, so that two first results cannot both cross.

    Rows are made in one order, before any is locked, and locked in the same order: callers that want several places cannot
    wait for each other in a circle.
    """
    if len(places) > 1:
        make_places(places, now)
    found = _locked(places)
    if len(found) < len(places):  # of a single place, or of one that was rolled back after it was seen
        _make({place: both for place, both in places.items() if place not in found}, now)
        found = _locked(places)
    if len(_known) > MOST_KNOWN:
        _known.clear()
    _known.update(found)
    return found


def make_places(places: Places, now: dt.datetime) -> None:
    """Make the rows of some places where there are none, without locking any; places that were seen before are not asked for."""
    if not places.keys() <= _known:
        standing = set(rows_of(places).values_list("checkpoint", "level"))
        _make({place: both for place, both in places.items() if place not in standing}, now)


def _locked(places: Places) -> dict[Place, LevelStatus]:
    if is_quick():
        return {(held["checkpoint_id"], held["level_id"]): row for row in lock_places(places) if (held := row.__dict__)}
    rows = rows_of(places).select_for_update()
    if len(places) > 1:  # an order would cost a tenth of all that judging takes
        rows = rows.order_by("level_id", "checkpoint_id")
    return {place: row for row in rows if (place := (row.checkpoint_id, row.level_id)) in places}


def rows_of(places: Collection[Place]) -> QuerySet[LevelStatus]:
    """The rows of some places; never more queries than one, whichever pairs of checkpoint and level they are."""
    if len(places) == 1:
        ((checkpoint, level),) = places
        return LevelStatus.objects.filter(checkpoint=checkpoint, level=level)
    levels = defaultdict(set)
    for checkpoint, level in places:
        levels[checkpoint].add(level)
    alike = defaultdict(list)  # checkpoints wanted at the same levels
    for checkpoint, wanted in levels.items():
        alike[frozenset(wanted)].append(checkpoint)
    return LevelStatus.objects.filter(reduce(or_, (Q(checkpoint__in=each, level__in=wanted) for wanted, each in alike.items())))


def lock(rows: QuerySet[LevelStatus]) -> None:
    """Lock rows that a transaction will come back to one by one, in the order in which every other locks them."""
    list(rows.select_for_update().order_by("level_id", "checkpoint_id").values_list("pk"))


def _make(places: Places, now: dt.datetime) -> None:
    """Make rows in the order in which they are locked; where another made one first, this waits for it and leaves it."""
    if not places:
        return
    foreseen = _foreseen([level for _, level in places.values()])
    begun = {}
    for place, (checkpoint, level) in sorted(places.items(), key=lambda each: (each[0][1], each[0][0])):
        begun[place] = status = LevelStatus(
            checkpoint=checkpoint, level=level, binding=governs(level.framework, checkpoint.model.developer)
        )
        family = checkpoint.model.family or checkpoint.model.developer
        status.forecast_crosses = (level.pk, family.casefold()) in foreseen
    for place, before in _stood_before(places).items():
        _carry(begun[place], before, now)
    LevelStatus.objects.bulk_create(begun.values(), ignore_conflicts=True)


def _foreseen(levels: Sequence[CapabilityLevel]) -> set[tuple[int, str]]:
    """Levels, and the families whose forecast reaches one of their lines within the lead time."""
    crossing = Forecast.objects.filter(level__in={level.pk for level in levels}, axis="date", crosses=True)
    return {(level, family.casefold()) for level, family in crossing.values_list("level", "family")}


def _stood_before(places: Places) -> dict[Place, LevelStatus]:
    """What the same level had reached under the version before, by the place under the version now."""
    wanted = {
        (checkpoint.pk, level.framework.supersedes_id, level.slug): place
        for place, (checkpoint, level) in places.items()
        if level.framework.supersedes_id is not None
    }
    if not wanted:
        return {}
    rows = LevelStatus.objects.filter(
        checkpoint__in={checkpoint for checkpoint, *_ in wanted},
        level__framework__in={framework for _, framework, _ in wanted},
        level__slug__in={slug for *_, slug in wanted},
    ).exclude(state="no_result")
    keyed = {(row.checkpoint_id, row.level.framework_id, row.level.slug): row for row in rows.select_related("level")}
    return {place: keyed[key] for key, place in wanted.items() if key in keyed}


def _carry(status: LevelStatus, before: LevelStatus, now: dt.datetime) -> None:
    """What the version before had reached is carried over: a line that moved never looks like an improvement."""
    status.moved, status.moved_from = moved_lines(before.level, status.level), before.state
    if before.state in LATCHING:
        status.state, status.since = before.state, now
        status.message = moved_words(status.moved, before.state, before.state)


def carry_over(framework: Framework, now: dt.datetime) -> None:
    """Make the rows of a version for all that the version before had reached, whether or not any result will be read by it; a row that
    was made before its day and read nothing takes what has been reached since."""
    levels = {level.slug: level for level in framework.levels.select_related("framework")}
    reached = LevelStatus.objects.filter(level__framework=framework.supersedes_id, level__slug__in=levels, state__in=LATCHING)
    for before in reached.select_related("checkpoint__model", "level").order_by("level_id", "checkpoint_id"):
        level = levels[before.level.slug]
        status = locked_statuses([before.checkpoint], [level], now)[before.checkpoint_id, level.pk]
        if status.assessed is None and rank(status.state) < rank(before.state):
            status.level = level
            _carry(status, before, now)
            status.save(update_fields=["state", "since", "moved", "moved_from", "message"])
