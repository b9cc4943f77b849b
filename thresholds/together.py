"""What many runs say of the levels that read them, added up level by level; the plain part of judging a batch."""

import datetime as dt
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any

from evals.models import Evaluation
from evals.prepared import Unwritable
from evals.rows import like
from thresholds.assess import SHOWN, Judged, state_before, write
from thresholds.decided import Said, declared_of, facts_of, kept, said
from thresholds.evidence import LATCHING, add, adds_up, higher, looked_again, slots_of, summary_of
from thresholds.governing import lines_at
from thresholds.judging import after, reading_of
from thresholds.models import Assessment, CapabilityLevel, Crossing, LevelStatus, Threshold
from thresholds.places import Place, locked_places
from thresholds.quickly import validity_of, write_rows
from thresholds.repeated import Arrived, Pair, Run, Seen, in_doubt, read_all, seen_of, settled, to_be_read
from thresholds.standing import Reached, bring_up_to_date, counting, cross_all, explain, read_anew, rebuild, rises
from thresholds.statistics import InvalidMeasurement
from thresholds.taken import Group, Taken

Keep = Callable[[Sequence[Assessment]], object]
_Declared = tuple[Hashable, dict[Hashable, Said]]  # what an evaluation declares, and what was said by it in this batch


class Unjudgeable(InvalidMeasurement):
    """The numbers of one run of a batch cannot be judged; `position` says of which. Nothing of the batch may be kept."""

    def __init__(self, wrong: InvalidMeasurement, position: int) -> None:
        super().__init__(wrong.code, str(wrong))
        self.position = position


@dataclass(slots=True)
class _Read:
    """One run at one level: what it said, whether its lines were set after it, and the line it was the first to reach."""

    taken: Taken
    said: Said
    after: bool
    rose: tuple[str, str] | None = None  # the state it reached first, and the one before


@dataclass(slots=True)
class _Level:
    """One row with all that the batch says of it; `group` is the first that is read there."""

    status: LevelStatus
    group: Group
    before: str
    readings_before: dict[str, Any]
    reads: list[_Read] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)

    @property
    def drawn(self) -> list[Threshold]:
        """Every line of the level, whichever evaluation it is on."""
        return lines_at(self.group.level)

    def looked_again(self) -> set[Pair]:
        """The pairs that were read now and of which a line could have been ruled out once and was not."""
        readings = self.status.readings
        runs = {read.taken.pair: read.taken.run for read in self.reads}
        return {pair for pair, run in runs.items() if looked_again(readings.get(run.evaluation.key, {}))}


def keep_rows(rows: Sequence[Assessment]) -> None:
    """Store assessments."""
    Assessment.objects.bulk_create(rows)


def judge_together(taken: Sequence[Taken], now: dt.datetime, keep: Keep, rested: Mapping[int, set[Place]]) -> Iterator[tuple[int, Judged]]:
    """Judge runs that need no care, all at once; by the position of the run what it did to a level, in order.

    `rested` says by run which places rest on what it supersedes.
    """
    wanted, corrected = _by_place(taken), set[Place]().union(*(rested.get(each.run.id, ()) for each in taken if rested))
    for place in sorted(corrected - wanted.keys(), key=lambda each: each[::-1]):
        rebuild(checkpoint_id=place[0], level_id=place[1], now=now)
    if not wanted:
        return iter(())
    statuses = locked_places({place: (some[0][0].run.checkpoint, some[0][1].level) for place, some in wanted.items()}, now)
    for place in corrected & wanted.keys():
        _read_anew(statuses[place], wanted[place][0][1].level)
    seen, declared = _seen_now(taken, statuses)
    levels = [_read_all(statuses[place], wanted[place], declared) for place in sorted(wanted, key=itemgetter(1, 0))]
    _settle(levels, taken, seen)
    for level in levels:
        _bring_up_to_date(level, now)
    return _kept(levels, now, keep)


def _by_place(taken: Iterable[Taken]) -> dict[Place, list[tuple[Taken, Group]]]:
    """By checkpoint and level the runs that are read there, in order, each with the lines."""
    wanted: dict[Place, list[tuple[Taken, Group]]] = {}
    for each in taken:
        for group in each.groups:
            wanted.setdefault((each.pair[0], group.level_id), []).append((each, group))
    return wanted


def _read_anew(status: LevelStatus, level: CapabilityLevel) -> None:
    """Read a row without what was superseded, before anything is added."""
    assessments = counting(status.checkpoint_id, level.pk).order_by("run__completed", "run_id")
    status.readings = read_anew(assessments, lines_at(level))


def _seen_now(taken: Sequence[Taken], statuses: Mapping[Place, LevelStatus]) -> tuple[dict[Pair, Seen], dict[int, _Declared]]:
    """How many runs count where looks were added up before; and by evaluation what it declares, with what was found out about it
    meanwhile: whoever flags it waits for these rows."""
    found = _evaluations(taken)
    keys = {evaluation.id: evaluation.key for evaluation in found}
    added = _added_up(keys, statuses)
    seen, validity = seen_of(added) if added else ({}, {})
    if unknown := keys.keys() - validity.keys():
        validity |= validity_of(unknown)
    for evaluation in found:
        evaluation.validity = validity[evaluation.id]
    return seen, {evaluation.id: (declared_of(evaluation), {}) for evaluation in found}


def _added_up(keys: Mapping[int, str], statuses: Mapping[Place, LevelStatus]) -> set[Pair]:
    """The pairs of these evaluations of which some row keeps what the looks add up to."""
    return {
        (checkpoint, evaluation)
        for (checkpoint, _), status in statuses.items()
        for evaluation, key in keys.items()
        if key in status.readings and adds_up(status.readings[key])
    }


def _evaluations(taken: Iterable[Taken]) -> list[Evaluation]:
    """The evaluations of some runs, each object once: equal ones may be several."""
    held = [(each.run, each.run._state.fields_cache) for each in taken]  # noqa: SLF001 - where Django keeps what a row is related to
    found = [cached.get("evaluation") or run.evaluation for run, cached in held]
    return list({id(each): each for each in found}.values())


def _read_all(status: LevelStatus, wanted: Sequence[tuple[Taken, Group]], declared: Mapping[int, _Declared]) -> _Level:
    """What every run says of one level, and which of them were the first to reach a line."""
    level = _Level(status, wanted[0][1], state_before(status), status.readings)
    latched = "no_result" if status.assessed is None else status.state
    held = status.state
    for each, group in wanted:
        found = _said(each, group, declared)
        read = _Read(each, found, after(each.run, group.frozen))
        if found.state in LATCHING:
            held = higher(held, found.state) if held in LATCHING else found.state
        if held != latched and rises(held, latched):
            read.rose = held, latched
        latched = held
        level.reads.append(read)
    for read in _lasting(level.reads):
        reading = reading_of(read.taken.run, read.said, after=read.after)
        status.readings = add(status.readings, reading["evaluation"], reading)
    return level


def _said(taken: Taken, group: Group, declared: Mapping[int, _Declared]) -> Said:
    run, result = taken.run, taken.result
    facts = facts_of(run, result)
    try:
        if facts is None:
            return said(run, result, group.lines)
        declaration, heard = declared[taken.pair[1]]
        found = heard.get((group.level_id, facts))
        if found is None:
            found = heard[group.level_id, facts] = kept(run, result, group.drawn, (facts, declaration, group.drawn))
    except InvalidMeasurement as wrong:
        raise Unjudgeable(wrong, taken.position) from wrong
    return found


def _settle(levels: Sequence[_Level], taken: Sequence[Taken], seen: Mapping[Pair, Seen]) -> None:
    """Let the readings say what all looks together say, where a line was looked at more than once."""
    doubted = [level for level in levels if in_doubt(level.status.readings, level.readings_before)]
    arrived = _arrived(taken, levels, doubted, seen) if doubted else None
    for level in doubted:
        level.status.readings = settled(level.status.readings, level.drawn, level.readings_before, arrived)


def _arrived(taken: Sequence[Taken], levels: Sequence[_Level], doubted: Sequence[_Level], seen: Mapping[Pair, Seen]) -> Arrived:
    """What has come now of the pairs that were looked at before; all of a pair is read where it must be added up anew."""
    again = {pair for level in levels for pair in level.looked_again()}
    if not again:
        return Arrived({}, {})
    arrived = Arrived(_runs_of(again, taken), seen)
    unread = {pair for level in doubted for pair in to_be_read(level.status.readings, level.drawn, level.readings_before, arrived)}
    if unread:
        arrived.every.update(read_all(list(unread)))
    return arrived


def _runs_of(pairs: Iterable[Pair], taken: Iterable[Taken]) -> dict[Pair, list[Run]]:
    """By pair the runs of a batch that brought a result."""
    runs: dict[Pair, list[Run]] = {pair: [] for pair in pairs}
    for each in taken:
        if each.result is not None and each.pair in runs:
            runs[each.pair].append((each.run, each.result))
    return runs


def _bring_up_to_date(level: _Level, now: dt.datetime) -> None:
    """Say what the readings come to."""
    status = level.status
    summary = summary_of(status.readings, level.group.needs, level.group.rule)
    reached = [read.rose[0] for read in level.reads if read.rose is not None]
    bring_up_to_date(status, summary, reached[-1] if reached else "no_result", now)
    status.assessed = now
    level.missing = list(summary.missing)


def _lasting(reads: list[_Read]) -> list[_Read]:
    """The readings that any later one leaves standing: of each evaluation the newest of each slot."""
    if len(reads) == 1:
        return reads
    newest: dict[tuple[int, str], tuple[tuple[dt.datetime, int], int]] = {}
    slots: dict[tuple[int, bool], list[str]] = {}
    for index, read in enumerate(reads):
        run, kind = read.taken.run, (id(read.said), read.taken.run.complete)
        if kind not in slots:
            slots[kind] = slots_of(_as_said(read))
        evaluation, moment = read.taken.pair[1], (run.completed, run.id)
        for slot in slots[kind]:
            newest[evaluation, slot] = max(newest.get((evaluation, slot), (moment, index)), (moment, index))
    return [reads[index] for index in sorted({index for _, index in newest.values()})]


def _as_said(read: _Read) -> dict[str, Any]:
    found = read.said
    return {"complete": read.taken.run.complete, "state": found.state, "critical_ruled_out": found.critical_ruled_out, "lines": found.lines}


def _kept(levels: Sequence[_Level], now: dt.datetime, keep: Keep) -> Iterator[tuple[int, Judged]]:
    """Store what was read, each assessment before the row and the crossing that name it."""
    rows = [(read.taken.position, read, level, row) for level in levels for read, row in _assessments(level, now)]
    rows.sort(key=itemgetter(0))  # as they arrived; those of one run stay in the order of levels
    keep([row for *_, row in rows])
    for status, row in {id(level): (level.status, row) for _, _, level, row in rows}.values():  # the last one
        status.__dict__["assessment_id"], status._state.fields_cache["assessment"] = row.id, row  # noqa: SLF001 - as its descriptor does
    _write([level.status for level in levels])
    crossings = _crossings(rows, now)
    return ((position, Judged(row, level.status, crossings.get(row.id), level.missing)) for position, _, level, row in rows)


def _write(statuses: Sequence[LevelStatus]) -> None:
    try:
        write_rows(statuses, SHOWN)
    except Unwritable:
        write(statuses)


def _crossings(rows: Sequence[tuple[int, _Read, _Level, Assessment]], now: dt.datetime) -> dict[int, Crossing]:
    """By assessment, the crossings of the batch."""
    reached = [Reached(level.status, row, *read.rose) for _, read, level, row in rows if read.rose is not None and level.status.binding]
    return {crossing.assessment_id: crossing for crossing in cross_all(reached, now)} if reached else {}


def _assessments(level: _Level, now: dt.datetime) -> Iterator[tuple[_Read, Assessment]]:
    """One row for each run; what is said alike is shared."""
    patterns: dict[tuple[int, bool, bool], dict[str, Any]] = {}
    checkpoint, drawn = level.reads[0].taken.run.checkpoint, level.group.level
    for read in level.reads:
        run = read.taken.run
        key = id(read.said), run.complete, read.after
        if (pattern := patterns.get(key)) is None:
            pattern = patterns[key] = _pattern(level, read, now)
        yield read, like(Assessment, pattern, {"run": run, "checkpoint": checkpoint, "level": drawn}, {"run_id": run.id})


def _pattern(level: _Level, read: _Read, now: dt.datetime) -> dict[str, Any]:
    """The columns of all runs that say the same at a level, but for the run."""
    status, found, complete = level.status, read.said, read.taken.run.complete
    facts, message = _told(level, read)
    return {
        "id": None,
        "checkpoint_id": read.taken.pair[0],
        "level_id": level.group.level_id,
        "at": now,
        "state_before": level.before,
        "state": status.state,
        "reading_state": found.state,
        "complete": complete,
        "critical_ruled_out": status.critical_ruled_out,
        "illustrative": found.illustrative,
        "binding": status.binding,
        "set_after": read.after,
        "inherited_id": None,
        "moved": status.moved,
        "readings": found.lines,
        "facts": facts,
        "message": message,
    }


def _told(level: _Level, read: _Read) -> tuple[dict[str, Any], str]:
    """The facts and the message of all runs that say the same at a level."""
    found, n = read.said, len(level.reads)
    reading = {"illustrative": found.illustrative, "set_after": read.after, "complete": read.taken.run.complete}
    facts = {**found.counted, "said": found.message, **({"together": n} if n > 1 else {})}
    return facts, explain(found.message, status=level.status, reading=reading, missing=level.missing)
