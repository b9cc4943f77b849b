"""Repeated looks at one checkpoint by one evaluation version: all its runs that measured anything, gathered and judged together.

What the looks of a row add up to is kept with its newest complete reading, so that one more run costs the same however many
there were. It is used only where the runs that count are those that were added up and those that came just now, told by their number
and the sum of their ids; else all of them are read again.
"""

import json
from collections import defaultdict
from collections.abc import Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import groupby
from typing import Any

from django.db.models import Count, F, Q, QuerySet, Sum

from database.asking import ask
from evals.models import EvalResult, EvalRun
from evals.passing import TaskRule, outcome_of
from thresholds.decided import facts_of, line_of
from thresholds.evidence import Ledger, Reading, adds_up, contested, newest_complete, remember, settle
from thresholds.measured import measurement_of
from thresholds.models import Equivalence, LevelStatus, Threshold
from thresholds.places import Place
from thresholds.pooling import Look, Pooled, judge_looks
from thresholds.tallies import Looks, TaskMeans
from thresholds.verdicts import Line
from thresholds.weighing import Measurement

MOST_NAMED = 500  # tasks by name that a row keeps; with more, all runs are read again
NEVER = [-1, -1]
Pair = tuple[int, int]  # checkpoint and evaluation
Seen = tuple[int, int]  # how many runs count, and the sum of their ids
Run = tuple[EvalRun, EvalResult]
Counted = tuple[EvalRun, EvalResult, Measurement, int]  # a run that is looked at, what it says, and how many runs say the same
Kept = Mapping[str, Any]  # pair, seen, looks declared, names of tasks, and by kind of line what the looks add up to


@dataclass(frozen=True, slots=True)
class Arrived:
    """The runs that were read just now, by pair; how many of these pairs count with them; and all of a pair, where they were read."""

    runs: Mapping[Pair, Sequence[Run]]
    seen: Mapping[Pair, Seen]
    every: dict[Pair, list[Run]] = field(default_factory=dict)


def settled(ledger: Ledger, lines: Sequence[Threshold], before: Ledger | None = None, arrived: Arrived | None = None) -> Ledger:
    """The ledger with what all runs together say, wherever the newest run rules out what an earlier one did not.

    `lines` are those of one level, and `before` is the ledger without the runs that `arrived`. Costs no query where what was added up
    before still holds, at most two for each evaluation that is contested where it does not.
    """
    before = before or {}
    for key, chain, newest, kinds, its in _due(ledger, lines, before, arrived):
        looks = _brought_up(_kept_before(before, key, chain), its, arrived)
        if looks is None and kinds:
            looks = _gathered(newest["run"], its, arrived)
        if looks is None:
            continue
        if kinds:
            ledger = settle(ledger, key, newest["run"], _told(looks, its, kinds))
        ledger = remember(ledger, key, chain, _within_bounds(looks))
    return ledger


def in_doubt(ledger: Ledger, before: Ledger) -> bool:
    """Whether anything is contested or was; where not, `settled` changes nothing."""
    return any(map(contested, ledger.values())) or any(map(adds_up, before.values()))


def _told(looks: Kept, lines: Sequence[Threshold], kinds: Collection[str]) -> dict[str, Any]:
    """By contested kind of line, what the looks say together."""
    told = _judged(looks, [line for line in lines if line.kind in kinds])
    return {kind: asdict(verdict) for kind, verdict in told.items()}


def to_be_read(ledger: Ledger, lines: Sequence[Threshold], before: Ledger, arrived: Arrived) -> set[Pair]:
    """The pairs whose runs `settled` would read again, all of them."""
    due = [each for each in _due(ledger, lines, before, arrived) if each[3]]
    stale = [newest["run"] for key, chain, newest, _, its in due if _brought_up(_kept_before(before, key, chain), its, arrived) is None]
    return {_pair_of(run, arrived) for run in stale}


def _due(
    ledger: Ledger, lines: Sequence[Threshold], before: Ledger, arrived: Arrived | None
) -> Iterator[tuple[str, str, Reading, list[str], list[Threshold]]]:
    """By evaluation and chain the newest complete reading of which something may have changed, what is contested, and the lines."""
    for key, its in _by_evaluation(lines):
        slots = ledger.get(key, {})
        doubted = contested(slots)
        for chain, newest in newest_complete(slots).items():
            kinds = doubted.get(newest["run"], [])
            if not _unchanged(newest, kinds, _kept_before(before, key, chain), arrived):
                yield key, chain, newest, kinds, its


def _kept_before(before: Ledger, key: str, chain: str) -> Kept | None:
    """What the looks of a chain added up to."""
    kept: Kept | None = before.get(key, {}).get(f"{chain}complete", {}).get("looks")
    return kept


def _by_evaluation(lines: Sequence[Threshold]) -> Iterator[tuple[str, list[Threshold]]]:
    ordered = sorted(lines, key=lambda line: line.evaluation_id)
    for _, its in groupby(ordered, key=lambda line: line.evaluation_id):
        found = list(its)
        yield found[0].evaluation.key, found


def _unchanged(newest: Reading, kinds: Iterable[str], kept: Kept | None, arrived: Arrived | None) -> bool:
    """Whether no run of this pair came, and all that is contested was told."""
    if kept is None or arrived is None:
        return False
    return tuple(kept["pair"]) not in arrived.runs and set(kinds) <= newest.get("pooled", {}).keys()


def _within_bounds(kept: Kept) -> Kept:
    """What a row keeps; of too many named tasks only that it cannot be brought up to date."""
    return kept if len(kept["names"]) <= MOST_NAMED else {**kept, "seen": NEVER, "names": [], "kinds": {}}


def _judged(kept: Kept, lines: Sequence[Threshold]) -> dict[str, Pooled]:
    """By kind of line, what the looks say together."""
    found = {}
    for line in lines:
        looks, evaluation = Looks.of_json(kept["kinds"][line.kind]), line.evaluation
        same = len(kept["names"]) <= (evaluation.n_tasks or len(kept["names"]))  # tasks under new names would count as new evidence
        declared = kept.get("declared", evaluation.looks)  # kept lines know nothing of what was declared since
        found[line.kind] = judge_looks(looks if same else looks.unnamed(), line_of(line), declared)
    return found


def _brought_up(kept: Kept | None, lines: Sequence[Threshold], arrived: Arrived | None) -> Kept | None:
    """What was added up before with the runs that came just now; None where these are not all that changed."""
    if kept is None or arrived is None or (now := arrived.seen.get(pair := (kept["pair"][0], kept["pair"][1]))) is None:
        return None
    count, total = kept["seen"]
    if now == (count, total):
        return kept
    came = [(run, result) for run, result in arrived.runs.get(pair, ()) if run.judged is not None]
    if now != (count + len(came), total + sum(run.pk for run, _ in came)):
        return None
    return _added(kept, came, lines)


def _added(kept: Kept, runs: Sequence[Run], lines: Sequence[Threshold]) -> Kept:
    """One more look for each run."""
    counted = list(_counted(runs))
    kinds = {line.kind: _with_looks(kept["kinds"].get(line.kind, {"every": None}), line, counted) for line in lines}
    names = {*kept["names"], *(task["id"] for _, result in runs for task in result.tasks or ())}
    count, total = kept["seen"]
    return {
        **({"declared": runs[-1][0].evaluation.looks} if runs else {}),
        "pair": kept["pair"],
        "seen": [count + len(runs), total + sum(run.pk for run, _ in runs)],
        "names": sorted(names),
        "kinds": kinds,
    }


def _counted(runs: Sequence[Run]) -> Iterator[Counted]:
    """Of runs that measured the same one, with how many they are; of those that are not complete only where something was counted."""
    for run, result, times in _alike(runs):
        measurement = measurement_of(run, result)
        if run.complete or measurement.tallied is not None:
            yield run, result, measurement, times


def _with_looks(before: dict[str, Any], line: Threshold, counted: Iterable[Counted]) -> dict[str, Any]:
    """The looks at one line, as they are kept, with as many more."""
    drawn, looks = line_of(line), Looks.of_json(before)
    for run, result, measurement, times in counted:
        looks = looks.plus(_look(run, result, measurement, drawn), drawn, times)
    return looks.as_json()


def _alike(runs: Sequence[Run]) -> Iterator[tuple[EvalRun, EvalResult, int]]:
    """One run of each that measured the same, and how many they are."""
    found: dict[Hashable, list[Run]] = defaultdict(list)
    for run, result in runs:
        facts = facts_of(run, result)
        found[run.pk if facts is None else (facts, run.complete)].append((run, result))
    yield from ((*same[0], len(same)) for same in found.values())


def _from_nothing(pair: Pair, runs: Sequence[Run], lines: Sequence[Threshold]) -> Kept:
    return _added({"pair": list(pair), "seen": [0, 0], "names": [], "kinds": {}}, runs, lines)


def _gathered(run_id: int, lines: Sequence[Threshold], arrived: Arrived | None) -> Kept:
    """All runs of a run's checkpoint and evaluation, added up anew."""
    every = {} if arrived is None else arrived.every
    pair = _pair_of(run_id, arrived)
    if pair not in every:
        every |= read_all([pair])
    return _from_nothing(pair, every[pair], lines)


def _pair_of(run_id: int, arrived: Arrived | None) -> Pair:
    came = {run.pk: pair for pair, runs in (arrived.runs if arrived is not None else {}).items() for run, _ in runs}
    if run_id in came:
        return came[run_id]
    checkpoint, evaluation = EvalRun.objects.values_list("checkpoint", "evaluation").get(pk=run_id)
    return checkpoint, evaluation


def counting_runs(pairs: Iterable[Pair]) -> QuerySet[EvalRun]:
    """The runs of some pairs that count: judged, with a result of the metric, neither superseded nor marked invalid."""
    wanted = list(pairs)
    return EvalRun.objects.filter(
        checkpoint__in={checkpoint for checkpoint, _ in wanted},
        evaluation__in={evaluation for _, evaluation in wanted},
        judged__isnull=False,
        invalidated__isnull=True,
        superseded_by__isnull=True,
        results__metric=F("evaluation__metric"),
    )


def pairs_of(runs: Iterable[int]) -> dict[int, Pair]:
    """By run its checkpoint and evaluation; not of what measured nothing, which no look can count."""
    measured = EvalRun.objects.filter(pk__in=list(runs), results__metric=F("evaluation__metric"))
    return {run: (checkpoint, evaluation) for run, checkpoint, evaluation in measured.values_list("pk", "checkpoint", "evaluation")}


def rows_with(pairs: Iterable[Pair]) -> QuerySet[LevelStatus]:
    """The rows that may count runs of some pairs: at their checkpoints and what inherits from them, of levels with a line on them."""
    wanted = list(pairs)
    checkpoints, evaluations = {checkpoint for checkpoint, _ in wanted}, {evaluation for _, evaluation in wanted}
    heirs = Equivalence.objects.filter(source__in=checkpoints).values("checkpoint")
    levels = Threshold.objects.filter(evaluation__in=evaluations).values("level")
    return LevelStatus.objects.filter(Q(checkpoint__in=checkpoints) | Q(checkpoint__in=heirs), level__in=levels)


def counted_at(pairs: Iterable[Pair]) -> dict[Pair, set[Place]]:
    """By pair, where its looks are added up: they count every run of the pair, also one that only another version read."""
    found: dict[Pair, set[Place]] = {pair: set() for pair in pairs}
    for checkpoint, level, readings in rows_with(found).values_list("checkpoint", "level", "readings") if found else ():
        for reading in (each for slots in readings.values() for each in slots.values() if "looks" in each):
            if (pair := (reading["looks"]["pair"][0], reading["looks"]["pair"][1])) in found:
                found[pair].add((checkpoint, level))
    return found


SEEN = """SELECT count(run.id), sum(run.id), evaluation.validity
    FROM evals_evalrun run
    JOIN evals_evaluation evaluation ON evaluation.id = run.evaluation_id
    JOIN evals_evalresult result ON result.run_id = run.id AND result.metric = evaluation.metric
    LEFT JOIN evals_evalrun successor ON successor.supersedes_id = run.id
    WHERE run.checkpoint_id = %s AND run.evaluation_id = %s
    AND run.judged IS NOT NULL AND run.invalidated IS NULL AND successor.id IS NULL
    GROUP BY evaluation.id, evaluation.validity"""  # `counting_runs` of one pair, written out: composing it takes longer than the answer


def seen_of(pairs: Iterable[Pair]) -> tuple[dict[Pair, Seen], dict[int, list[Any]]]:
    """By pair, which of its runs count now; and by evaluation what was found out about it. One query."""
    wanted = list(pairs)
    rows = _seen_of_one(wanted[0]) if len(wanted) == 1 else _seen_of_many(wanted)
    seen = {(checkpoint, evaluation): (count, total) for checkpoint, evaluation, _, count, total in rows}
    return seen, {evaluation: validity for _, evaluation, validity, *_ in rows}


def _seen_of_one(pair: Pair) -> list[tuple[int, int, list[Any], int, int]]:
    return [(*pair, json.loads(validity), count, int(total)) for count, total, validity in ask(SEEN, *pair)]


def _seen_of_many(pairs: Iterable[Pair]) -> list[tuple[int, int, list[Any], int, int]]:
    counted = counting_runs(pairs).values_list("checkpoint", "evaluation", "evaluation__validity")
    return list(counted.annotate(Count("pk"), Sum("pk")).order_by())


def read_all(pairs: Sequence[Pair]) -> dict[Pair, list[Run]]:
    """By pair, all its runs that count with what they measured, as they came; one query."""
    runs, found = counting_runs(pairs), {pair: list[Run]() for pair in pairs}
    rows = EvalResult.objects.filter(run__in=runs, metric=F("run__evaluation__metric")).select_related("run__evaluation").order_by("run_id")
    for row in rows:
        if (pair := (row.run.checkpoint_id, row.run.evaluation_id)) in found:
            found[pair].append((row.run, row))
    return found


def pooled_of(run: EvalRun, lines: Sequence[Threshold]) -> dict[str, Pooled]:
    """By kind of line, what every run of this run's checkpoint and evaluation says together; a run that was cut short counts with what
    it measured."""
    pair = run.checkpoint_id, run.evaluation_id
    return pooled_from(read_all([pair])[pair], lines)


def pooled_from(runs: Sequence[Run], lines: Sequence[Threshold]) -> dict[str, Pooled]:
    """By kind of line, what some runs of one checkpoint and one evaluation version say together."""
    return _judged(_from_nothing((0, 0), runs, lines), lines)


def _look(run: EvalRun, result: EvalResult, measurement: Measurement, line: Line) -> Look:
    measurement = _as_measured(run, measurement)
    whole = run.complete and measurement.attested  # what nobody vouches for may speak against clearing only
    if not result.tasks or run.evaluation.exclusions or (measurement.errored and run.complete):
        return Look(measurement, complete=whole)
    return Look(measurement, _task_means(run, result.tasks, line), complete=whole)


def _as_measured(run: EvalRun, measurement: Measurement) -> Measurement:
    """Of a run that was cut short only what it measured."""
    cut = not run.complete and measurement.counted and measurement.solved_per_task is None
    return replace(measurement, total=(measurement.attempts or 0) - measurement.errored, errored=0) if cut else measurement


def _task_means(run: EvalRun, tasks: Sequence[Mapping[str, Any]], line: Line) -> TaskMeans:
    """By task its outcome, the unknown as what speaks for the line, and its attempts."""
    rule, unknown = TaskRule.of(run.evaluation.task_rule), 1.0 if line.higher else 0.0
    found = {task["id"]: (outcome_of(task, rule, run.evaluation.refusals), task["attempts"]) for task in tasks}
    return {name: (unknown if outcome is None else outcome, attempts) for name, (outcome, attempts) in found.items()}
