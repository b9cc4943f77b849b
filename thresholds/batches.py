"""Judging many runs that one transaction stored: each level locked once, its readings added, its row brought up to date once.

It gives what judging them one after the other gives (`assess`, which stays the measure of it), but for the states beside each
reading: those are the states before and after all runs of the batch, and say so. What cannot be done for all at once is done
one by one in its turn: a correction whose removal may raise what was signed down, a run that others inherit, a level that several
evaluations decide together, a run that was taken before a version came into force under which its checkpoint may stand already.
"""

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from operator import attrgetter

from django.db import transaction

from database.asking import is_quick
from evals.models import EvalResult, EvalRun
from thresholds.assess import Judged, assess, covers, is_idle
from thresholds.governing import in_force, published
from thresholds.models import Assessment, Equivalence, Framework
from thresholds.places import Place, Places, lock, make_places, rows_of
from thresholds.quickly import lock_heirs
from thresholds.repeated import counted_at, pairs_of
from thresholds.statistics import InvalidMeasurement
from thresholds.taken import Group, Taken, groups_in
from thresholds.together import Keep, Unjudgeable, judge_together, keep_rows

__all__ = ["Keep", "Stored", "Unjudgeable", "assess_many"]

Stored = tuple[EvalRun, Sequence[EvalResult]]
_Lines = tuple[list[Group], bool]  # by level, and whether more than a run itself decides what they say


@transaction.atomic(savepoint=False)
def assess_many(*, stored: Sequence[Stored], now: dt.datetime, keep: Keep = keep_rows) -> list[list[Judged]]:
    """Judge runs that this transaction stored at `now`, in the order in which they arrived; by run what it did to each level.

    Few statements, whatever the number of runs: one more for every 32 levels. `keep` stores assessments and sets their keys.
    Raises Unjudgeable where the numbers of a run cannot be judged.
    """
    found: list[list[Judged]] = [[] for _ in stored]
    taken = list(_taken(stored, now))
    superseded = _superseded(taken)
    corrected, later = _corrected(superseded), set(superseded)
    for alone, some in groupby(_set_apart(taken, corrected, now), key=attrgetter("alone")):
        runs = list(some)
        for position, judged in _judge_alone(runs, stored, now, later) if alone else judge_together(runs, now, keep, corrected):
            found[position].append(judged)
        if later:
            later.difference_update(_superseded(runs))
    return found


def _superseded(taken: Iterable[Taken]) -> dict[int, int]:
    """By the run that is superseded the run that supersedes it."""
    runs = [each.run for each in taken]
    return {there: run.id for run in runs if (there := run.__dict__["supersedes_id"]) is not None}


def _judge_alone(taken: Iterable[Taken], stored: Sequence[Stored], now: dt.datetime, later: set[int]) -> Iterator[tuple[int, Judged]]:
    """Judge runs one after the other; `later` are those that the runs still to come supersede."""
    for each in taken:
        later.discard(each.run.supersedes_id or 0)
        try:
            judged = assess(
                run=each.run, results=stored[each.position][1], now=now, stored_now=each.run.received == now, later=frozenset(later)
            )
        except InvalidMeasurement as wrong:
            raise Unjudgeable(wrong, each.position) from wrong
        yield from ((each.position, one) for one in judged)


def _taken(stored: Sequence[Stored], now: dt.datetime) -> Iterator[Taken]:
    """Every run, once, with the levels that read it; not what nothing judges and what corrects nothing."""
    known, drawn, seen = published(), dict[tuple[int, dt.date], tuple[_Lines, str]](), set[int]()
    for position, (run, results) in enumerate(stored):
        if run.id in seen:
            continue
        seen.add(run.id)
        held, idle = run.__dict__, is_idle(run, results)
        if idle and held["supersedes_id"] is None:
            continue
        pair = held["checkpoint_id"], held["evaluation_id"]
        key = pair[1], run.completed.astimezone(dt.UTC).date()
        if key not in drawn:
            drawn[key] = _lines(*key, known, now.date()), run.evaluation.metric
        lines, metric = drawn[key]
        yield Taken(position, run, pair, _measured(results, metric), () if idle else lines[0], lines[1] or run.received != now)


def _measured(results: Sequence[EvalResult], metric: str) -> EvalResult | None:
    """The result that lines are compared with."""
    for each in results:
        if each.metric == metric:
            return each
    return None


def _lines(evaluation_id: int, day: dt.date, known: Sequence[Framework], today: dt.date) -> _Lines:
    """The lines that read an evaluation on a day."""
    chosen = in_force(known, day)
    groups = [group for framework in chosen for group in groups_in(framework).get(evaluation_id, ())]
    since = [each for each in known if day < each.effective_from <= today and each not in chosen]
    careful = any(evaluation_id in groups_in(each) for each in since) or any(group.rule.combine != "any" for group in groups)
    return sorted(groups, key=attrgetter("level_id")), careful


def _heirs(taken: Iterable[Taken]) -> list[Equivalence]:
    """The live equivalences by which others inherit from the checkpoints of a batch, held so that none ends meanwhile."""
    sources = {each.pair[0] for each in taken}
    if is_quick() and not lock_heirs(sources):
        return []
    live = Equivalence.objects.filter(source__in=sources, ended__isnull=True)
    return list(live.select_related("checkpoint__model", "source").order_by("pk").select_for_update(of=("self",), no_key=True))


def _set_apart(taken: list[Taken], corrected: Mapping[int, set[Place]], now: dt.datetime) -> list[Taken]:
    """The runs of a batch, marked where they must be judged alone; all rows are locked where they are not locked at once."""
    heirs = _heirs(taken)
    apart = _apart(taken, {heir.source_id for heir in heirs})
    if not corrected and not apart:
        return taken
    _lock_all(taken, heirs, {place for places in corrected.values() for place in places}, now)
    apart |= _signed(corrected)
    return [each._replace(alone=each.run.id in apart) for each in taken]


def _apart(taken: Sequence[Taken], sources: set[int]) -> set[int]:
    """The runs that nothing more need be asked of: others inherit from their checkpoint, or they correct a run of the same batch."""
    here = {each.run.id for each in taken}
    return {each.run.id for each in taken if each.alone or each.pair[0] in sources or each.run.__dict__["supersedes_id"] in here}


def _corrected(superseded: Mapping[int, int]) -> dict[int, set[Place]]:
    """By run what the run that it supersedes was judged for, or counted at as a look; a run that had only started was judged by nothing."""
    found = defaultdict[int, set[Place]](set)
    if superseded:
        pairs = pairs_of(superseded)
        counted = counted_at(pairs.values())
        found.update({superseded[run]: set(counted[pair]) for run, pair in pairs.items() if counted[pair]})
        for run, *place in Assessment.objects.filter(run__in=superseded).values_list("run", "checkpoint", "level"):
            found[superseded[run]].add((place[0], place[1]))
    return found


def _signed(corrected: Mapping[int, set[Place]]) -> set[int]:
    """Runs that correct what a row rests on which was signed down, inherits, or is decided by several evaluations together: without
    what they correct it may stand higher. Any other row has been as high as any of its readings."""
    places = {place for some in corrected.values() for place in some}
    if not places:
        return set()
    plain = rows_of(places).filter(episode=1, level__combine="any").exclude(checkpoint__equivalences__isnull=False)
    careful = places - set(plain.values_list("checkpoint", "level"))
    return {run for run, some in corrected.items() if some & careful}


def _lock_all(taken: Sequence[Taken], heirs: Sequence[Equivalence], corrected: set[Place], now: dt.datetime) -> None:
    """Make and lock every row that a batch will come to, in the order in which every other locks them."""
    own: Places = {(each.pair[0], group.level_id): (each.run.checkpoint, group.level) for each in taken for group in each.groups}
    inherited: Places = {
        (heir.checkpoint_id, group.level_id): (heir.checkpoint, group.level)
        for heir in heirs
        for each in taken
        for group in each.groups
        if each.pair[0] == heir.source_id and covers(heir, group.lines)
    }
    make_places({**own, **inherited}, now)
    if touched := {*own, *inherited, *corrected}:
        lock(rows_of(touched))
