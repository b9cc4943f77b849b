"""Judging a stored run: its readings against every line in force, the levels' statuses, and the crossings where one is new."""

import datetime as dt
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from operator import itemgetter
from typing import Any

from django.db import transaction

from evals.models import Checkpoint, EvalResult, EvalRun
from thresholds.evidence import add, adds_up, summarise
from thresholds.governing import line_facts, lines_at, lines_for, lines_of, published, rule_of
from thresholds.judging import judge
from thresholds.models import Assessment, Crossing, Equivalence, Framework, LevelStatus, Threshold
from thresholds.places import Place, lock, locked_statuses
from thresholds.repeated import Arrived, Pair, Run, counted_at, pairs_of, rows_with, seen_of, settled
from thresholds.standing import bring_up_to_date, cross, explain, reached_together, rebuild

SHOWN = (
    *("state", "reading_state", "since", "assessed", "taken", "evaluation", "point", "lower", "upper", "n_eff"),
    *("alert_value", "critical_value", "critical_ruled_out", "illustrative", "readings", "message", "assessment"),
    *("valid_until", "differs"),
)

_Read = tuple[Assessment, LevelStatus, str, list[str]]  # with the state before, and the evaluations that are missing


@dataclass(frozen=True, slots=True)
class Judged:
    """What one run did to one level; `missing` names evaluations that the level needs and no complete run has read yet."""

    assessment: Assessment
    status: LevelStatus
    crossing: Crossing | None
    missing: list[str]


@dataclass(frozen=True, slots=True)
class _Case:
    """One level of one checkpoint that a run is read for; `by` is the equivalence through which the checkpoint inherits it, and `later`
    are runs that count until their correction has its turn."""

    checkpoint: Checkpoint
    lines: list[Threshold]
    by: Equivalence | None = None
    later: Collection[int] = ()

    @property
    def place(self) -> Place:
        """Which row it is about."""
        return self.checkpoint.pk, self.lines[0].level_id


@transaction.atomic(savepoint=False)
def assess(
    *, run: EvalRun, results: Sequence[EvalResult], now: dt.datetime, stored_now: bool = False, later: Collection[int] = ()
) -> list[Judged]:
    """Judge a run in the transaction that stores it (`stored_now`) or later; a run already assessed is left as it is.

    `later` are runs that count yet, for what supersedes them is stored already and is to be judged after this run.

    A run that has only started and brings no results, that was marked invalid before it was judged, or whose evaluation
    carries no line in force, is judged by nothing: the list is empty. Raises InvalidMeasurement where it cannot be judged.
    """
    if not stored_now and run.assessments.exists():
        return []
    cases = [] if is_idle(run, results) else _cases(run, _levels(run, now))
    if later:
        cases = [replace(case, later=later) for case in cases]
    _read_elsewhere_anew(run, cases, now, later)
    return _judge_cases(run, results, cases, now)


def is_idle(run: EvalRun, results: Sequence[EvalResult]) -> bool:
    """Whether there is nothing to judge: the run was marked invalid, or has only started."""
    return run.invalidated is not None or (run.status == "started" and not results)


@transaction.atomic(savepoint=False)
def judge_again(
    *, run: EvalRun, now: dt.datetime, frameworks: Iterable[Framework] | None = None, heir: Equivalence | None = None
) -> list[Judged]:
    """Read a run that was judged before by other frameworks, or for the heir of its checkpoint; what it was read for already is left."""
    groups = _levels(run, now, frameworks)
    cases = [_Case(heir.checkpoint, group, heir) for group in groups if covers(heir, group)] if heir else _cases(run, groups)
    done = set(Assessment.objects.filter(run=run).values_list("checkpoint_id", "level_id"))
    return _judge_cases(run, list(run.results.all()), [case for case in cases if case.place not in done], now)


def _levels(run: EvalRun, now: dt.datetime, frameworks: Iterable[Framework] | None = None) -> list[list[Threshold]]:
    """The lines that read a run, those of each level together."""
    day, known = run.completed.astimezone(dt.UTC).date(), published() if frameworks is None else list(frameworks)
    lines = lines_for(evaluation_id=run.evaluation_id, on=day, frameworks=known)
    if later := [each for each in known if day < each.effective_from <= now.date()] if frameworks is None else []:
        lines = sorted([*lines, *_lines_since(run, later, lines)], key=lambda line: (line.level_id, line.kind))
    return [list(group) for _, group in groupby(lines, key=lambda line: line.level_id)]


def _lines_since(run: EvalRun, later: Sequence[Framework], lines: Sequence[Threshold]) -> list[Threshold]:
    """The lines of versions that came into force after a run, where its checkpoint stands by them already: as if it had not come late."""
    stood = LevelStatus.objects.filter(checkpoint=run.checkpoint_id, level__framework__in=later).values_list("level__framework", flat=True)
    wanted = set(stood) - {line.level.framework_id for line in lines}
    return [line for each in later if each.pk in wanted for line in lines_of(each) if line.evaluation_id == run.evaluation_id]


def _cases(run: EvalRun, groups: Sequence[list[Threshold]]) -> list[_Case]:
    """Every level to read the run for: at its own checkpoint, and at those that inherit from it."""
    if not groups:
        return []
    own = [_Case(run.checkpoint, group) for group in groups]
    live = Equivalence.objects.filter(source=run.checkpoint_id, ended__isnull=True)
    if not live.exists():  # nearly always, and cheaper to ask than the join below
        return own
    heirs = live.select_related("checkpoint__model", "source").select_for_update(of=("self",), no_key=True)  # not ended meanwhile
    return [*own, *(_Case(heir.checkpoint, group, heir) for heir in heirs for group in groups if covers(heir, group))]


def covers(equivalence: Equivalence, lines: Sequence[Threshold]) -> bool:
    """Whether an equivalence holds for the risk domain of a level."""
    return not equivalence.domains or lines[0].level.domain.slug in equivalence.domains


def _judge_cases(run: EvalRun, results: Sequence[EvalResult], cases: Sequence[_Case], now: dt.datetime) -> list[Judged]:
    """Read a run for every case in a constant number of queries: rows locked, assessments stored, rows brought up to date."""
    if not cases:
        return []
    result = next((each for each in results if each.metric == run.evaluation.metric), None)
    statuses = _locked(cases, now)
    arrived = _arrived(run, result, statuses.values())
    counts = not _corrected_since(run, now)
    read = [_read((run, result), case, statuses[case.place], now, arrived if counts else None) for case in cases]
    _store(read)
    return [Judged(assessment, status, cross(status, assessment, before, now), missing) for assessment, status, before, missing in read]


def _locked(cases: Sequence[_Case], now: dt.datetime) -> dict[Place, LevelStatus]:
    """The rows of every checkpoint and level among the cases."""
    checkpoints = list({case.checkpoint.pk: case.checkpoint for case in cases}.values())
    levels = list({case.lines[0].level_id: case.lines[0].level for case in cases}.values())
    return locked_statuses(checkpoints, levels, now)


def _store(read: Sequence[_Read]) -> None:
    """Store what was read, each assessment before the row that names it."""
    Assessment.objects.bulk_create([assessment for assessment, *_ in read])
    for assessment, status, *_ in read:
        status.assessment = assessment
    write([status for _, status, *_ in read])


def write(statuses: Sequence[LevelStatus]) -> None:
    """Bring locked rows up to date in one statement; as an upsert it takes a third of the time of `bulk_update`."""
    LevelStatus.objects.bulk_create(statuses, update_conflicts=True, unique_fields=["pk"], update_fields=SHOWN)


def _arrived(run: EvalRun, result: EvalResult | None, statuses: Iterable[LevelStatus]) -> Arrived:
    """What has come now, and how many count with it where looks were added up before; and what was found out about the evaluation
    meanwhile, for whoever flags it waits for these rows."""
    pair = run.checkpoint_id, run.evaluation_id
    came: dict[Pair, list[Run]] = {pair: [] if result is None else [(run, result)]}
    if any(adds_up(status.readings.get(run.evaluation.key, {})) for status in statuses):
        seen, validity = seen_of([pair])
        if seen:
            run.evaluation.validity = validity[run.evaluation_id]
            return Arrived(came, seen)
    run.evaluation.refresh_from_db(fields=["validity"])
    return Arrived(came, {})


def _read(came: tuple[EvalRun, EvalResult | None], case: _Case, status: LevelStatus, now: dt.datetime, arrived: Arrived | None) -> _Read:
    """Read a run at one level; without `arrived` it is no evidence, but may reach a line."""
    run, level, before = came[0], case.lines[0].level, state_before(status)
    reading = judge(*came, case.lines, case.by)
    drawn = lines_at(level)
    if arrived is not None:
        readings = add(status.readings, run.evaluation.key, reading, superseded=run.supersedes_id)
        status.readings = settled(readings, drawn, status.readings, arrived)
    summary = summarise(status.readings, line_facts(level), rule_of(level))
    reached = reading["state"] if level.combine == "any" else reached_together(status, reading, drawn, case.later)
    bring_up_to_date(status, summary, reached, now)
    crossed_from = "no_result" if status.assessed is None else before
    status.assessed = now
    return _assessment(run, case, status, reading, now, before=before, missing=summary.missing), status, crossed_from, list(summary.missing)


def state_before(status: LevelStatus) -> str:
    """The state that a reading finds: of a row that read nothing yet, the one under the version before."""
    return status.moved_from if status.assessed is None and status.moved_from else status.state


def _assessment(
    run: EvalRun, case: _Case, status: LevelStatus, reading: dict[str, Any], now: dt.datetime, *, before: str, missing: Sequence[str]
) -> Assessment:
    return Assessment(
        run=run,
        checkpoint=case.checkpoint,
        level=case.lines[0].level,
        at=now,
        state_before=before,
        state=status.state,
        reading_state=reading["state"],
        complete=run.complete,
        critical_ruled_out=status.critical_ruled_out,
        illustrative=reading["illustrative"],
        binding=status.binding,
        set_after=reading["set_after"],
        inherited=case.by,
        moved=status.moved,
        readings=reading["lines"],
        facts={**reading["counted"], "said": reading["message"]},
        message=explain(reading["message"], status=status, reading=reading, missing=missing),
    )


def _corrected_since(run: EvalRun, now: dt.datetime) -> bool:
    """Whether a run that is judged later than it came was superseded meanwhile: it may raise the state, but is no evidence now."""
    return run.received != now and EvalRun.objects.filter(supersedes=run.pk).exists()


def _read_elsewhere_anew(run: EvalRun, cases: Sequence[_Case], now: dt.datetime, later: Collection[int]) -> None:
    """A correction may name another checkpoint or evaluation: what the run it supersedes was judged for, or counted at as a look, is
    read without it."""
    if run.supersedes_id is None:
        return
    places = set(Assessment.objects.filter(run_id=run.supersedes_id).values_list("checkpoint", "level"))
    touched = [*places, *(case.place for case in cases)]  # locked at once, for another may come to them in another order
    rows = LevelStatus.objects.filter(checkpoint__in={place[0] for place in touched}, level__in={place[1] for place in touched})
    pairs = set(pairs_of([run.supersedes_id]).values())
    lock(rows | rows_with(pairs) if pairs else rows)
    for checkpoint_id, level_id in sorted(places.union(*counted_at(pairs).values()), key=itemgetter(1, 0)):
        rebuild(checkpoint_id=checkpoint_id, level_id=level_id, now=now, later=later)
