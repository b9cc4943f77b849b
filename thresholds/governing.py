"""Which lines read a run: those of every published framework version that was in force when it was taken.

A framework governs the models of its own developer: what it says of them opens crises and holds gates. Of other models it only
says, side by side, what it would say.
"""

import datetime as dt
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from database.asking import ask, is_quick
from thresholds.combining import LineFact, Needs, Rule, groups_of, needs_of
from thresholds.models import CapabilityLevel, Framework, Threshold

NEEDED = ("slug", "version", "title", "developer", "effective_from", "digest", "loaded", "published", "state", "retest_days")
STAMP = ("digest", "loaded", "published")  # of a row whose stamp is the same nothing else has changed
_STAMPED = Framework.objects.filter(state="published").values_list("pk", *STAMP)  # built once, asked anew each time
STAMPS = f"SELECT id, {', '.join(STAMP)} FROM {Framework._meta.db_table} WHERE state = 'published'"  # noqa: S608, SLF001 - names of columns
NEVER = dt.datetime.min.replace(tzinfo=dt.UTC)
_rows: dict[int, tuple[tuple[object, ...], Framework]] = {}


class _Lines(NamedTuple):
    """The lines of one framework version as its row's stamp says they were read, and those of each level with what they ask for."""

    stamp: tuple[object, ...]
    every: list[Threshold]
    at: dict[int, list[Threshold]]
    needs: dict[int, Needs]


NOTHING = needs_of([])
_kept: dict[int, _Lines] = {}


def in_force(frameworks: Iterable[Framework], on: dt.date) -> list[Framework]:
    """Of each framework the newest version effective by that day, or its first version where all came later."""
    chosen: dict[str, Framework] = {}
    for framework in sorted(frameworks, key=_order):
        if framework.slug not in chosen or framework.effective_from <= on:
            chosen[framework.slug] = framework
    return list(chosen.values())


def _order(framework: Framework) -> tuple[dt.date, dt.datetime, int]:
    """By the day; of two versions of one day the one that was published later is the newer."""
    return framework.effective_from, framework.published or NEVER, framework.id or 0


def _stamps() -> dict[int, tuple[object, ...]]:
    return {pk: tuple(stamp) for pk, *stamp in (ask(STAMPS) if is_quick() else _STAMPED.all())}


def published() -> list[Framework]:
    """Every published framework version, without the text of its file; not to be changed by the caller."""
    stamps = _stamps()
    unknown = [pk for pk, stamp in stamps.items() if pk not in _rows or _rows[pk][0] != stamp]
    if unknown:
        rows = Framework.objects.filter(pk__in=unknown).only(*NEEDED)
        _rows.update({row.pk: (tuple(getattr(row, name) for name in STAMP), row) for row in rows})
    return [_rows[pk][1] for pk in stamps]


def governing(developer: str, on: dt.date) -> list[Framework]:
    """The framework versions in force for a developer's models on a day."""
    return in_force(Framework.objects.filter(developer__iexact=developer, state="published").defer("content", "notes"), on)


def governs(framework: Framework, developer: str) -> bool:
    """Whether what a framework says of a developer's models binds."""
    return framework.developer.casefold() == developer.casefold()


def lines_at(level: CapabilityLevel) -> list[Threshold]:
    """Every line of one level, whichever evaluation it is on; not to be changed by the caller."""
    return _lines(level.framework).at.get(level.id, [])


def lines_of(framework: Framework) -> list[Threshold]:
    """Every line of a framework version, with its level and evaluation, in the order of the file; not to be changed by the caller.

    A published version never changes, so a process reads its lines once. `framework` is read from the database for each judgement:
    lines that were kept for a row of other content, or loaded at another moment, are read again.
    """
    return _lines(framework).every


def _lines(framework: Framework) -> _Lines:
    stamp = framework.digest, framework.loaded, framework.published
    kept = _kept.get(framework.id)
    if kept is None or kept.stamp != stamp:
        kept = _kept[framework.id] = _read(framework, stamp)
    return kept


def _read(framework: Framework, stamp: tuple[object, ...]) -> _Lines:
    rows = Threshold.objects.select_related("level__framework", "level__domain", "evaluation").filter(level__framework=framework)
    every, at = list(rows.defer("level__framework__content").order_by("pk")), dict[int, list[Threshold]]()
    for line in every:
        at.setdefault(line.level_id, []).append(line)
    return _Lines(stamp, every, at, {level: needs_of([_fact(line) for line in lines]) for level, lines in at.items()})


def _fact(line: Threshold) -> LineFact:
    return LineFact(line.evaluation.key, line.kind, line.required, line.alternative)


def lines_for(*, evaluation_id: int, on: dt.date, frameworks: Iterable[Framework] | None = None) -> list[Threshold]:
    """The lines that read an evaluation on a day, with their level and framework, ordered by level and kind."""
    chosen = in_force(published() if frameworks is None else frameworks, on)
    lines = [line for framework in chosen for line in lines_of(framework) if line.evaluation_id == evaluation_id]
    return sorted(lines, key=lambda line: (line.level_id, line.kind))


def needs_at(level: CapabilityLevel) -> Needs:
    """What the lines of a level ask for, as the summary takes it."""
    return _lines(level.framework).needs.get(level.id, NOTHING)


def line_facts(level: CapabilityLevel) -> Sequence[LineFact]:
    """Every line of a level."""
    return needs_at(level).lines


def rule_of(level: CapabilityLevel) -> Rule:
    """How the evaluations of a level add up."""
    return Rule(level.combine, level.combine_k)


def divisors(line: Threshold) -> tuple[int, int]:
    """What the risk of the nearest and of the farthest bound of a line is divided by: several evaluations decide its level together."""
    deciding = [fact for fact in line_facts(line.level) if fact.kind == line.kind]
    return rule_of(line.level).divisors(len(groups_of(deciding)))
