"""What is fresh, due, overdue or never run: gathers the facts of every checkpoint and level in force and asks the rule."""

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import NamedTuple

from django.db.models import Min, Q

from evals.heartbeats import losses
from evals.models import Checkpoint
from thresholds.combining import LineFact, groups_of
from thresholds.coverage import Coverage, cover, rules_for
from thresholds.governing import in_force
from thresholds.models import Assessment, CapabilityLevel, Framework, LevelStatus, Threshold
from thresholds.triggers import Event, Evidence, Facts, Weights

_COUNTS = Q(run__invalidated__isnull=True, run__superseded_by__isnull=True)
Lost = tuple[str, str, dt.date]  # the run, the evaluation and the day
_LONG = ("content", "summary", "notes", "plan_note", "unpublished", "source", "reason")


@dataclass(frozen=True, slots=True)
class Covered:
    """The answer for one checkpoint at one level in force for its developer."""

    checkpoint: Checkpoint
    level: CapabilityLevel
    coverage: Coverage


class Standing(NamedTuple):
    """Of a level's status what coverage looks at."""

    taken: dt.datetime | None = None
    valid_until: dt.datetime | None = None
    reported_on: dt.date | None = None


class Score(NamedTuple):
    """One measured height of a checkpoint, higher being more capable; scores of one series may be compared."""

    checkpoint: int
    series: object
    evaluation: str
    at: dt.datetime
    height: float


def cover_levels(*, checkpoints: Sequence[Checkpoint], now: dt.datetime) -> list[Covered]:
    """Whether each level in force is fresh, due, overdue or was never run for each checkpoint, in a constant number of queries.

    The models of the checkpoints must be loaded. In the order of the checkpoints, then of the frameworks and their files.
    """
    developers = {_developer(checkpoint) for checkpoint in checkpoints}
    frameworks = _frameworks(developers, now.astimezone(dt.UTC).date())
    levels = _levels(list(chain.from_iterable(frameworks.values())))
    if not levels:
        return []
    rows = _Rows(list(chain.from_iterable(levels.values())), developers)
    return [
        Covered(checkpoint, level, cover(rows.facts(checkpoint, level), now))
        for checkpoint in checkpoints
        for framework in frameworks.get(_developer(checkpoint), [])
        for level in levels.get(framework.pk, [])
    ]


def wholly_read(lines: Sequence[LineFact], first: Mapping[str, dt.datetime]) -> tuple[dt.datetime | None, tuple[str, ...]]:
    """When the last of a level's required lines was first read by a complete run (None before that), and what was not read yet.

    `first` is when each evaluation was first read so; of a group of alternatives, or where none is required, any one is enough.
    """
    needed = _needed(lines)
    read = [min((first[line.evaluation] for line in group if line.evaluation in first), default=None) for group in needed]
    missing = tuple(_any_of(group) for group, at in zip(needed, read, strict=True) if at is None)
    return (None, missing) if missing else (max((at for at in read if at), default=None), ())


def _needed(lines: Sequence[LineFact]) -> list[list[LineFact]]:
    """The groups of lines of which each must be read: the required ones, or where there is none all lines as one."""
    needed = [group for group in groups_of(lines).values() if any(line.required for line in group)]
    return needed or ([list(lines)] if lines else [])


def _any_of(group: Sequence[LineFact]) -> str:
    return " or ".join(sorted({line.evaluation for line in group}))


def jumps(scores: Iterable[Score]) -> list[Score]:
    """The scores that stand above every one before them in their series; the first of a series has nothing to stand above."""
    best: dict[object, float] = {}
    found = []
    for score in sorted(scores, key=lambda each: each.at):
        if score.height > best.get(score.series, float("inf")):
            found.append(score)
        best[score.series] = max(score.height, best.get(score.series, score.height))
    return found


def _developer(checkpoint: Checkpoint) -> str:
    return checkpoint.model.developer.casefold()


def _family(checkpoint: Checkpoint) -> tuple[str, str]:
    """Whose frontier a checkpoint belongs to: its model family, or all of its developer's models where none is named."""
    return _developer(checkpoint), (checkpoint.model.family or checkpoint.model.developer).casefold()


def _frameworks(developers: Iterable[str], today: dt.date) -> dict[str, list[Framework]]:
    """By developer the published framework versions in force."""
    published: dict[str, list[Framework]] = {developer: [] for developer in developers}
    for framework in Framework.objects.filter(state="published").defer(*_LONG).order_by("pk"):
        published.get(framework.developer.casefold(), []).append(framework)
    return {developer: in_force(found, today) for developer, found in published.items()}


def _levels(frameworks: Sequence[Framework]) -> dict[int, list[CapabilityLevel]]:
    """By framework its levels in the order of its file, each with its domain and framework."""
    by_id = {framework.pk: framework for framework in frameworks}
    levels: dict[int, list[CapabilityLevel]] = defaultdict(list)
    wanted = CapabilityLevel.objects.filter(framework__in=by_id).select_related("domain")
    for level in wanted.defer("definition", "source").order_by("position", "pk"):
        level.framework = by_id[level.framework_id]
        levels[level.framework_id].append(level)
    return levels


def _weights(checkpoint: Checkpoint) -> Weights:
    return Weights(checkpoint.name, checkpoint.trained, checkpoint.released, checkpoint.effective_compute)


def _day(moment: dt.datetime | None) -> dt.date | None:
    return moment.astimezone(dt.UTC).date() if moment else None


def _may_be_newer(one: Checkpoint, than: Checkpoint) -> bool:
    """Whether a checkpoint is not known to be older than, or as old as, another."""
    a, b = one.trained or one.released, than.trained or than.released
    return one.pk != than.pk and (a is None or b is None or a > b)


class _Rows:
    """What is stored about some levels and their developers' checkpoints, read once."""

    def __init__(self, levels: Sequence[CapabilityLevel], developers: set[str]) -> None:
        found = Checkpoint.objects.select_related("model").order_by("pk")
        self.checkpoints = {each.pk: each for each in found if _developer(each) in developers}
        self.lines: dict[int, list[LineFact]] = defaultdict(list)
        self._statuses: dict[tuple[int, int], Standing] = {}
        self._before: dict[tuple[int, str, str], str] = {}
        self._first: dict[tuple[int, int], dict[str, dt.datetime]] = defaultdict(dict)
        self._own: dict[tuple[int, int], dict[str, dt.datetime]] = defaultdict(dict)
        self._read_lines(levels)
        self._read_statuses(levels)
        self._read_readings(levels)
        self._lost = self._lost_by_evaluation()
        self._evaluated = self._evaluated_by_family()
        self._jumps = self._jumps_by_family([level for level in levels if _asks_for_jumps(level)])

    def _read_lines(self, levels: Sequence[CapabilityLevel]) -> None:
        columns = ("level_id", "evaluation__slug", "evaluation__version", "kind", "required", "alternative")
        for level, slug, version, *rest in Threshold.objects.filter(level__in=levels).order_by("pk").values_list(*columns):
            self.lines[level].append(LineFact(f"{slug}@{version}", *rest))

    def _read_statuses(self, levels: Sequence[CapabilityLevel]) -> None:
        """The status of every level, and under which other version a level of the same name was read last."""
        wanted = {level.pk for level in levels}
        known = Q(taken__isnull=False) | Q(reported_on__isnull=False)
        versions = LevelStatus.objects.filter(known, level__framework__slug__in={level.framework.slug for level in levels})
        named = ("level__framework__slug", "level__slug", "level__framework__version")
        rows = versions.order_by("taken", "pk").values_list("checkpoint_id", "level_id", "taken", "valid_until", "reported_on", *named)
        for checkpoint, level, taken, valid_until, reported_on, framework, slug, version in rows:
            if level in wanted:
                self._statuses[checkpoint, level] = Standing(taken, valid_until, reported_on)
            elif taken:
                self._before[checkpoint, framework, slug] = version

    def _read_readings(self, levels: Sequence[CapabilityLevel]) -> None:
        """When each evaluation was first read by a complete run that counts; what was inherited counts from when it was judged."""
        live = Q(inherited__isnull=True) | Q(inherited__ended__isnull=True)
        complete = Assessment.objects.filter(_COUNTS, live, complete=True, level__in=levels).order_by()
        grouped = complete.values_list("checkpoint_id", "level_id", "inherited_id", "run__evaluation__slug", "run__evaluation__version")
        for checkpoint, level, inherited, slug, version, taken, judged in grouped.annotate(Min("run__completed"), Min("at")):
            key, evaluation, at = (checkpoint, level), f"{slug}@{version}", judged if inherited else taken
            self._first[key][evaluation] = min(at, self._first[key].get(evaluation, at))
            if not inherited:
                self._own[key][evaluation] = at

    def _lost_by_evaluation(self) -> dict[tuple[int, str], Lost]:
        """By checkpoint and evaluation the newest attempt that was lost and not made up for."""
        rows = losses().filter(checkpoint__in=self.checkpoints).order_by("completed", "pk")
        columns = ("checkpoint_id", "pk", "completed", "evaluation__slug", "evaluation__version")
        found = {}
        for checkpoint, run, completed, slug, version in rows.values_list(*columns):
            key = f"{slug}@{version}"
            found[checkpoint, key] = f"R-{run}", key, completed.astimezone(dt.UTC).date()
        return found

    def _evaluated_by_family(self) -> dict[tuple[tuple[str, str], int], list[tuple[dt.datetime, int]]]:
        """By family and level the checkpoints that were wholly read there themselves, the last read first."""
        found: dict[tuple[tuple[str, str], int], list[tuple[dt.datetime, int]]] = defaultdict(list)
        for (checkpoint, level), first in self._own.items():
            status = self._statuses.get((checkpoint, level))
            if checkpoint in self.checkpoints and status and status.taken and wholly_read(self.lines[level], first)[0]:
                found[_family(self.checkpoints[checkpoint]), level].append((status.taken, checkpoint))
        return {key: sorted(each, reverse=True) for key, each in found.items()}

    def _jumps_by_family(self, levels: Sequence[CapabilityLevel]) -> dict[tuple[tuple[str, str], int], list[Score]]:
        """By family and level the scores above all before them, on evaluations that carry a line at the level."""
        if not levels:
            return {}
        scored = Assessment.objects.filter(_COUNTS, level__in=levels, inherited__isnull=True).order_by("run__completed", "run_id")
        evaluation = ("run__evaluation__slug", "run__evaluation__version", "run__evaluation__direction", "run__evaluation__comparability")
        rows = scored.values_list("checkpoint_id", "level_id", "run__completed", "readings__0__point", *evaluation)
        scores: dict[tuple[tuple[str, str], int], list[Score]] = defaultdict(list)
        for checkpoint, level, at, point, slug, version, direction, comparable in rows:
            if checkpoint in self.checkpoints and isinstance(point, int | float):
                score = Score(checkpoint, (slug, comparable or f"@{version}"), f"{slug}@{version}", at, _height(point, direction))
                scores[_family(self.checkpoints[checkpoint]), level].append(score)
        return {key: jumps(each) for key, each in scores.items()}

    def facts(self, checkpoint: Checkpoint, level: CapabilityLevel) -> Facts:
        """Everything the rule looks at for one checkpoint and level."""
        framework = level.framework
        return Facts(
            checkpoint=_weights(checkpoint),
            evidence=self._evidence(checkpoint, level),
            framework=str(framework),
            in_force=framework.effective_from,
            retest_days=framework.retest_days,
            rules=rules_for(framework.cadence, level.slug),
            reference=self._reference(checkpoint, level),
            jump=self._jump(checkpoint, level),
            lost=self._loss(checkpoint, level),
        )

    def _loss(self, checkpoint: Checkpoint, level: CapabilityLevel) -> Lost | None:
        """The newest lost attempt at an evaluation that carries a line at the level."""
        found = (self._lost.get((checkpoint.pk, line.evaluation)) for line in self.lines[level.pk])
        return max((loss for loss in found if loss), key=lambda loss: loss[2], default=None)

    def _evidence(self, checkpoint: Checkpoint, level: CapabilityLevel) -> Evidence:
        key, lines = (checkpoint.pk, level.pk), self.lines[level.pk]
        status = self._statuses.get(key, Standing())
        first, missing = wholly_read(lines, self._first.get(key, {}))
        own, _ = wholly_read(lines, self._own.get(key, {}))
        reported = not lines and status.taken is None and status.reported_on is not None
        return Evidence(
            taken=status.reported_on if reported else _day(status.taken),
            first=_day(first),
            missing=missing,
            lines=bool(lines),
            inherited=status.valid_until is not None and own is None,
            valid_until=_day(status.valid_until),
            reported=reported,
            before=self._before.get((checkpoint.pk, level.framework.slug, level.slug), ""),
        )

    def _reference(self, checkpoint: Checkpoint, level: CapabilityLevel) -> Event | None:
        """The last evaluated other checkpoint of the family."""
        others = self._evaluated.get((_family(checkpoint), level.pk), [])
        taken, last = next((each for each in others if each[1] != checkpoint.pk), (None, 0))
        on = _day(taken)
        return Event(_weights(self.checkpoints[last]), on) if on else None

    def _jump(self, checkpoint: Checkpoint, level: CapabilityLevel) -> Event | None:
        """The first jump of another checkpoint, not known to be older, since the level's oldest evidence was taken."""
        taken = self._statuses.get((checkpoint.pk, level.pk), Standing()).taken
        for score in self._jumps.get((_family(checkpoint), level.pk), []):
            other = self.checkpoints[score.checkpoint]
            if (taken is None or score.at > taken) and _may_be_newer(other, checkpoint):
                return Event(_weights(other), score.at.astimezone(dt.UTC).date(), score.evaluation)
        return None


def _asks_for_jumps(level: CapabilityLevel) -> bool:
    return any(rule.trigger == "capability_jump" for rule in rules_for(level.framework.cadence, level.slug))


def _height(point: float, direction: str) -> float:
    return -point if direction == "lower" else point
