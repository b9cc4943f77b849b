"""What many runs say of the levels that read them, added up level by level; the plain part of judging a batch."""

import datetime as dt
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from evals.models import EvalResult, EvalRun
from evals.prepared import Unwritable
from thresholds.assess import SHOWN, Judged, state_before, write
from thresholds.decided import Drawn, Said, declared_of, facts_of, kept, said
from thresholds.evidence import LATCHING, add, adds_up, higher, looked_again, slots_of, summarise
from thresholds.governing import line_facts, lines_at, rule_of
from thresholds.judging import reading_of, set_after
from thresholds.models import Assessment, CapabilityLevel, Crossing, LevelStatus, Threshold
from thresholds.places import Place, locked_places
from thresholds.quickly import validity_of, write_rows
from thresholds.repeated import Arrived, Pair, Run, Seen, read_all, seen_of, settled, to_be_read
from thresholds.standing import Reached, bring_up_to_date, counting, cross_all, explain, read_anew, rebuild, rises
from thresholds.statistics import InvalidMeasurement

Keep = Callable[[Sequence[Assessment]], object]
RELATIONS: tuple[Any, ...] = tuple(Assessment._meta.get_field(name) for name in ("run", "checkpoint", "level"))  # noqa: SLF001 - Django's own way


class Unjudgeable(InvalidMeasurement):
    """The numbers of one run of a batch cannot be judged; `position` says of which. Nothing of the batch may be kept."""

    def __init__(self, wrong: InvalidMeasurement, position: int) -> None:
        super().__init__(wrong.code, str(wrong))
        self.position = position


@dataclass(frozen=True, slots=True)
class Group:
    """The lines of one level that read an evaluation on a day, and what has been said of them in this batch."""

    lines: list[Threshold]
    drawn: Drawn
    said: dict[Hashable, Said] = field(default_factory=dict)

    @property
    def level(self) -> CapabilityLevel:
        """The level that they are drawn for."""
        return self.lines[0].level


@dataclass(frozen=True, slots=True)
class Taken:
    """One run with the result that lines are compared with, and the levels that read it; `alone` where it is judged by itself."""

    position: int
    run: EvalRun
    result: EvalResult | None
    groups: Sequence[Group]
    alone: bool


@dataclass(slots=True)
class _Read:
    """One run at one level: what it said, whether its lines were set after it, and the line it was the first to reach."""

    taken: Taken
    group: Group
    said: Said
    after: bool
    rose: tuple[str, str] | None = None  # the state it reached first, and the one before


@dataclass(slots=True)
class _Level:
    """One row with all that the batch says of it."""

    status: LevelStatus
    before: str
    readings_before: dict[str, Any]
    reads: list[_Read]
    missing: list[str] = field(default_factory=list)

    @property
    def level(self) -> CapabilityLevel:
        """Which level it is about."""
        return self.reads[0].group.level

    @property
    def drawn(self) -> list[Threshold]:
        """Every line of the level, whichever evaluation it is on."""
        return lines_at(self.level)

    def looked_again(self) -> set[Pair]:
        """The pairs that were read now and of which a line could have been ruled out once and was not."""
        readings = self.status.readings
        evaluations = {read.taken.run.evaluation_id: read.taken.run.evaluation.key for read in self.reads}
        return {(self.status.checkpoint_id, pk) for pk, key in evaluations.items() if looked_again(readings.get(key, {}))}


def keep_rows(rows: Sequence[Assessment]) -> None:
    """Store assessments."""
    Assessment.objects.bulk_create(rows)


def judge_together(taken: Sequence[Taken], now: dt.datetime, keep: Keep) -> Iterator[tuple[int, Judged]]:
    """Judge runs that need no care, all at once; by the position of the run what it did to a level, in order."""
    wanted, corrected = _by_place(taken), _corrected(taken)
    for place in sorted(corrected - wanted.keys(), key=lambda each: each[::-1]):
        rebuild(checkpoint_id=place[0], level_id=place[1], now=now)
    if not wanted:
        return iter(())
    statuses = locked_places({place: (some[0][0].run.checkpoint, some[0][1].level) for place, some in wanted.items()}, now)
    for place in corrected & wanted.keys():
        _read_anew(statuses[place], wanted[place][0][1].level)
    seen, declared = _seen_now(taken, statuses)
    levels = [_read_all(statuses[place], some, declared) for place, some in sorted(wanted.items(), key=lambda each: each[0][::-1])]
    arrived = _arrived(taken, levels, seen)
    for level in levels:
        _bring_up_to_date(level, now, arrived)
    return _kept(levels, now, keep)


def _by_place(taken: Iterable[Taken]) -> dict[Place, list[tuple[Taken, Group]]]:
    """By checkpoint and level the runs that are read there, in order, each with the lines."""
    wanted: dict[Place, list[tuple[Taken, Group]]] = {}
    for each in taken:
        for group in each.groups:
            wanted.setdefault((each.run.checkpoint_id, group.level.pk), []).append((each, group))
    return wanted


def _corrected(taken: Sequence[Taken]) -> set[Place]:
    """The places that rest on what these runs supersede."""
    superseded = [each.run.supersedes_id for each in taken if each.run.supersedes_id is not None]
    return set(Assessment.objects.filter(run__in=superseded).values_list("checkpoint", "level")) if superseded else set()


def _read_anew(status: LevelStatus, level: CapabilityLevel) -> None:
    """Read a row without what was superseded, before anything is added."""
    assessments = counting(status.checkpoint_id, level.pk).order_by("run__completed", "run_id")
    status.readings = read_anew(assessments, lines_at(level))


def _seen_now(taken: Sequence[Taken], statuses: Mapping[Place, LevelStatus]) -> tuple[dict[Pair, Seen], dict[int, Hashable]]:
    """How many runs count where looks were added up before; and by evaluation what it declares, with what was found out about it
    meanwhile: whoever flags it waits for these rows."""
    found = {id(each.run.evaluation): each.run.evaluation for each in taken}
    added = {
        (checkpoint, evaluation.pk)
        for (checkpoint, _), status in statuses.items()
        for evaluation in found.values()
        if adds_up(status.readings.get(evaluation.key, {}))
    }
    seen, validity = seen_of(added) if added else ({}, {})
    if unknown := {evaluation.pk for evaluation in found.values()} - validity.keys():
        validity |= validity_of(unknown)
    for evaluation in found.values():
        evaluation.validity = validity[evaluation.pk]
    return seen, {evaluation.pk: declared_of(evaluation) for evaluation in found.values()}


def _read_all(status: LevelStatus, wanted: Sequence[tuple[Taken, Group]], declared: dict[int, Hashable]) -> _Level:
    """What every run says of one level, and which of them were the first to reach a line."""
    level = _Level(status, state_before(status), status.readings, [])
    latched = "no_result" if status.assessed is None else status.state
    held = status.state
    for each, group in wanted:
        found = _said(each, group, declared)
        read = _Read(each, group, found, set_after(each.run, group.lines))
        if found.state in LATCHING:
            held = higher(held, found.state) if held in LATCHING else found.state
        if held in LATCHING and rises(held, latched):
            read.rose = held, latched
        latched = held
        level.reads.append(read)
    for read in _lasting(level.reads):
        reading = reading_of(read.taken.run, read.said, after=read.after)
        status.readings = add(status.readings, reading["evaluation"], reading)
    return level


def _said(taken: Taken, group: Group, declared: dict[int, Hashable]) -> Said:
    run, result = taken.run, taken.result
    facts = facts_of(run, result)
    try:
        if facts is None:
            return said(run, result, group.lines)
        found = group.said.get(facts)
        if found is None:
            found = group.said[facts] = kept(run, result, group.drawn, (facts, declared[run.evaluation_id], group.drawn))
    except InvalidMeasurement as wrong:
        raise Unjudgeable(wrong, taken.position) from wrong
    return found


def _arrived(taken: Sequence[Taken], levels: Sequence[_Level], seen: Mapping[Pair, Seen]) -> Arrived:
    """What has come now of the pairs that were looked at before; all of a pair is read where it must be added up anew."""
    again = {pair for level in levels for pair in level.looked_again()}
    if not again:
        return Arrived({}, {})
    arrived = Arrived(_runs_of(again, taken), seen)
    unread = {pair for level in levels for pair in to_be_read(level.status.readings, level.drawn, level.readings_before, arrived)}
    if unread:
        arrived.every.update(read_all(list(unread)))
    return arrived


def _runs_of(pairs: Iterable[Pair], taken: Iterable[Taken]) -> dict[Pair, list[Run]]:
    """By pair the runs of a batch that brought a result."""
    runs: dict[Pair, list[Run]] = {pair: [] for pair in pairs}
    for each in taken:
        if each.result is not None and (pair := (each.run.checkpoint_id, each.run.evaluation_id)) in runs:
            runs[pair].append((each.run, each.result))
    return runs


def _bring_up_to_date(level: _Level, now: dt.datetime, arrived: Arrived) -> None:
    """Say what the readings come to."""
    status = level.status
    status.readings = settled(status.readings, level.drawn, level.readings_before, arrived)
    summary = summarise(status.readings, line_facts(level.level), rule_of(level.level))
    reached = [read.rose[0] for read in level.reads if read.rose is not None]
    bring_up_to_date(status, summary, reached[-1] if reached else "no_result", now)
    status.assessed = now
    level.missing = list(summary.missing)


def _lasting(reads: Sequence[_Read]) -> list[_Read]:
    """The readings that any later one leaves standing: of each evaluation the newest of each slot."""
    newest: dict[tuple[int, str], tuple[tuple[dt.datetime, int], int]] = {}
    slots: dict[tuple[int, bool], list[str]] = {}
    for index, read in enumerate(reads):
        run, kind = read.taken.run, (id(read.said), read.taken.run.complete)
        if kind not in slots:
            slots[kind] = slots_of(_as_said(read))
        moment = run.completed, run.pk
        for slot in slots[kind]:
            stands = newest.get((run.evaluation_id, slot))
            if stands is None or stands[0] < moment:
                newest[run.evaluation_id, slot] = moment, index
    return [reads[index] for index in sorted({index for _, index in newest.values()})]


def _as_said(read: _Read) -> dict[str, Any]:
    found = read.said
    return {
        "complete": read.taken.run.complete,
        "state": found.state,
        "critical_ruled_out": found.critical_ruled_out,
        "lines": found.lines,
    }


def _kept(levels: Sequence[_Level], now: dt.datetime, keep: Keep) -> Iterator[tuple[int, Judged]]:
    """Store what was read, each assessment before the row and the crossing that name it."""
    rows = [(read.taken.position, read, level, row) for level in levels for read, row in _assessments(level, now)]
    rows.sort(key=lambda each: each[0])  # as they arrived; those of one run stay in the order of levels
    keep([row for *_, row in rows])
    for _, _, level, row in rows:
        level.status.assessment = row
    _write([level.status for level in levels])
    crossings = _crossings(rows, now)
    return ((position, Judged(row, level.status, crossings.get(row.pk), level.missing)) for position, _, level, row in rows)


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
    told: dict[tuple[int, bool, bool], tuple[dict[str, Any], str]] = {}
    for read in level.reads:
        key = id(read.said), read.taken.run.complete, read.after
        if key not in told:
            told[key] = _told(level, read)
        yield read, _assessment(level, read, told[key], now)


def _told(level: _Level, read: _Read) -> tuple[dict[str, Any], str]:
    """The facts and the message of all runs that say the same at a level."""
    found, n = read.said, len(level.reads)
    reading = {"illustrative": found.illustrative, "set_after": read.after, "complete": read.taken.run.complete}
    facts = {**found.counted, "said": found.message, **({"together": n} if n > 1 else {})}
    return facts, explain(found.message, status=level.status, reading=reading, missing=level.missing)


def _assessment(level: _Level, read: _Read, told: tuple[dict[str, Any], str], now: dt.datetime) -> Assessment:
    """Built by position, in the order of the fields, and with its relations at hand: a third of the time of doing it by name."""
    status, run, found, drawn = level.status, read.taken.run, read.said, read.group.level
    begun = (None, run.pk, run.checkpoint_id, drawn.pk, now, level.before, status.state)
    gates = (found.state, run.complete, status.critical_ruled_out, found.illustrative, status.binding, read.after, None)
    values: tuple[Any, ...] = (*begun, *gates, status.moved, found.lines, *told)
    row = Assessment(*values)
    for relation, one in zip(RELATIONS, (run, run.checkpoint, drawn), strict=True):
        relation.set_cached_value(row, one)
    return row
