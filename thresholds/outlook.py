"""When the frontier of each family may reach the lines of a level: its points gathered, its forecasts made and stored.

A forecast may raise clear to watch, and take that back; it clears nothing else and never lowers a state. That of all labs together
is to be read beside a family's own and raises nobody's state. Forecasts are made anew when the level was assessed, and every day,
for the lead time moves with the calendar.
"""

import datetime as dt
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from math import log2
from typing import Any

from django.db import transaction
from django.db.models import Max, Min

from accounts.roles import SYSTEM
from audit import log
from evals.catalogue import EVERYONE
from evals.models import Evaluation
from thresholds.coverage import rules_for
from thresholds.evidence import summarise
from thresholds.forecast import Axis, TooFewPoints, as_date, forecast, in_years
from thresholds.forecast import Forecast as Outlook
from thresholds.governing import in_force, line_facts, lines_at, published, rule_of
from thresholds.leadtime import DAYS_A_YEAR, early_enough
from thresholds.measured import flags_of
from thresholds.models import CapabilityLevel, Forecast, LevelStatus, Threshold
from thresholds.scale import HIGHEST_POWER, OffScale
from thresholds.series import Best, Point, bests_of, family_of, in_family, points_of, scale_of, versions_of
from thresholds.standing import bring_up_to_date

AXES: tuple[Axis, ...] = ("date", "compute")
WRITTEN = ("made", "refused", "content", "crosses")
SETTLED = dt.timedelta(minutes=1)  # an assessment may be committed later than it says; until then the forecast is made once more


@dataclass(frozen=True, slots=True)
class _Case:
    """One forecast to be made: of a family's frontier towards the lines that a level draws on one evaluation."""

    level: CapabilityLevel
    lines: Sequence[Threshold]
    joined: Sequence[Evaluation]
    family: str
    axis: Axis
    bests: Sequence[Best]
    now: dt.datetime

    @property
    def evaluation(self) -> Evaluation:
        """Whose numbers are extended."""
        return self.joined[0]

    @property
    def today(self) -> dt.date:
        """The day of the forecast, in UTC."""
        return _day(self.now)

    @property
    def points(self) -> list[Point]:
        """What the forecast may rest on."""
        return points_of(self.bests, self.axis)

    def next_evaluation(self) -> dt.date:
        """When the family is evaluated next: an interval after the last time, or, where that has passed, an interval from now."""
        interval = dt.timedelta(interval_of(self.level))
        due = max(best.last for best in self.bests) + interval
        return due if due >= self.today else self.today + interval


def _day(moment: dt.datetime) -> dt.date:
    return moment.astimezone(dt.UTC).date()


def interval_of(level: CapabilityLevel) -> int:
    """Days between two evaluations of a level, by the shortest of its framework's calendar rules."""
    rules = rules_for(level.framework.cadence, level.slug)
    return min([level.framework.retest_days, *(rule.days for rule in rules if rule.trigger == "calendar" and rule.days)])


def refresh(*, level_id: int, now: dt.datetime) -> list[Forecast]:
    """Make and store every forecast of a level anew, and show what they foresee in the rows of the families' checkpoints.

    Run twice it changes nothing but the time; what cannot be forecast is stored with the reason.
    """
    level = CapabilityLevel.objects.select_related("framework").defer("framework__content").get(pk=level_id)
    made = [_made(case) for case in _cases(level, now)]  # before the transaction: nobody waits while it is computed
    with transaction.atomic():
        CapabilityLevel.objects.select_for_update(no_key=True).get(pk=level_id)  # one writer; readings may still be stored
        Forecast.objects.bulk_create(
            made, update_conflicts=True, unique_fields=["level", "evaluation", "family", "axis"], update_fields=list(WRITTEN)
        )
        Forecast.objects.filter(level=level_id, made__lt=now).delete()  # of a family that has no checkpoint here any more
        _show(level, made, now)
    return list(Forecast.objects.filter(level=level_id).order_by("evaluation_id", "family", "axis"))


def _cases(level: CapabilityLevel, now: dt.datetime) -> list[_Case]:
    """Every evaluation with lines at the level, every family with a checkpoint that was read there, both axes."""
    drawn: dict[int, list[Threshold]] = defaultdict(list)
    for line in lines_at(level):
        drawn[line.evaluation_id].append(line)
    families = _families(level)
    found, evaluations = [], Evaluation.objects.in_bulk(drawn)  # kept lines know nothing of a flag set since
    for evaluation, lines in drawn.items():
        joined = versions_of(evaluations[evaluation])
        bests = bests_of(joined)
        for family in families:
            found += [_Case(level, lines, joined, family, axis, in_family(bests, family), now) for axis in AXES]
    return found


def _families(level: CapabilityLevel) -> list[str]:
    """Every family with a checkpoint at the level, spelt as it was first, and where there are several, all of them together."""
    named = {family.casefold(): family for _, _, family in reversed(_flagged(level))}
    return [*named.values(), EVERYONE] if len(named) > 1 else list(named.values())


def _flagged(level: CapabilityLevel) -> list[tuple[int, bool, str]]:
    """Of every checkpoint at the level its row, whether a crossing is foreseen there, and its family."""
    columns = ("pk", "forecast_crosses", "checkpoint__model__family", "checkpoint__model__developer")
    rows = LevelStatus.objects.filter(level=level).order_by("checkpoint_id").values_list(*columns)
    return [(pk, crosses, family_of(family, developer)) for pk, crosses, family, developer in rows]


def _made(case: _Case) -> Forecast:
    row = Forecast(level=case.level, evaluation=case.evaluation, family=case.family, axis=case.axis, made=case.now)
    try:
        row.content = _content(case)
    except (TooFewPoints, OffScale) as why:
        row.refused = f"{why}{_left_out(case)}"
    row.crosses = any(line["in_time"] is False for line in row.content.get("lines", {}).values())
    return row


def _left_out(case: _Case) -> str:
    """How many checkpoints have no place on the axis."""
    missing = len(case.bests) - len(case.points)
    return f" Of {missing} more the effective compute is not recorded." if missing else ""


def _content(case: _Case) -> dict[str, Any]:
    """What is stored of a forecast; x is a day (ISO 8601) or effective compute in FLOP."""
    scale, points = scale_of(case.evaluation), case.points
    today = in_years(case.today)
    found = {
        line.kind: forecast([point[:3] for point in points], line.value, scale=scale, now=today, axis=case.axis) for line in case.lines
    }
    one = next(iter(found.values()))  # the walk does not depend on the line
    named = {point[:2]: point.checkpoint for point in reversed(points)}
    return {
        "unit": case.evaluation.unit,
        "scale": scale.kind,
        "lower_is_stronger": scale.lower,
        "joined": [version.key for version in case.joined],
        "validity": flags_of(case.evaluation),
        "lead_days": case.level.lead_days,
        "interval_days": interval_of(case.level),
        "next_evaluation": case.next_evaluation().isoformat(),
        "here": told(one.here, case.axis),
        "confident_until": told(one.confident_until, case.axis),
        "drift": one.walk.drift,
        "sigma": one.walk.sigma2**0.5,
        "points": [{"x": told(x, case.axis), "score": score, "checkpoint": named[x, score]} for x, score in one.points],
        "band": [{**step._asdict(), "x": told(step.x, case.axis)} for step in one.band()],
        "lines": {line.kind: _line(case, line, found[line.kind]) for line in case.lines},
        "early": _early(case, found),
    }


def told(x: float | None, axis: Axis) -> str | float | None:
    """An x as people read it: the day, or the effective compute in FLOP."""
    if x is None:
        return None
    return as_date(x).isoformat() if axis == "date" else 2.0 ** min(x, HIGHEST_POWER)


def _line(case: _Case, line: Threshold, found: Outlook) -> dict[str, Any]:
    """When one line is reached; `in_time` says whether the plan is ready before q10, None by compute, which knows no days."""
    lead = case.level.lead_days / DAYS_A_YEAR
    by_date = case.axis == "date"
    straight = found.trend.crossing
    shown = straight is not None and found.points[0][0] <= straight <= found.here + found.cap
    return {
        "value": line.value,
        "comparator": line.comparator,
        "illustrative": line.illustrative,
        **{name: told(getattr(found, name), case.axis) for name in ("q10", "median", "q90", "crossed_at")},
        "never": found.never,
        "before_next_evaluation": _before_next(case, found),
        "within_lead_time": found.chance_within(lead) if by_date else None,
        "in_time": (found.q10 is None or found.q10 > found.here + lead) if by_date else None,
        "straight_line": told(straight, case.axis) if shown else None,
    }


def _before_next(case: _Case, found: Outlook) -> float | None:
    """Probability that a line is reached before the next evaluation: by its day, or before compute has grown by the multiple asked for."""
    if case.axis == "date":
        return found.chance_by(in_years(case.next_evaluation()))
    rules = rules_for(case.level.framework.cadence, case.level.slug)
    multiples = [rule.multiple for rule in rules if rule.trigger == "effective_compute" and rule.multiple]
    return found.chance_within(log2(min(multiples))) if multiples else None


def _early(case: _Case, found: dict[str, Outlook]) -> dict[str, Any] | None:
    """Whether the alert line leaves the time that the plan needs; None by compute, or where one of the two lines is not drawn."""
    if case.axis != "date" or not {"alert", "critical"} <= found.keys():
        return None
    alert, critical = found["alert"], found["critical"]
    days = {"lead_days": case.level.lead_days, "interval_days": interval_of(case.level)}
    return early_enough(alert, alert.line, critical.line, **days).as_dict()


def _show(level: CapabilityLevel, made: Sequence[Forecast], now: dt.datetime) -> None:
    """Bring the rows up to date in which a crossing is foreseen, or is no more; what was measured stays as it is."""
    crossing = {row.family.casefold() for row in made if row.crosses and row.family != EVERYONE}
    changed = [pk for pk, crosses, family in _flagged(level) if crosses != (family.casefold() in crossing)]
    if not changed:
        return
    for status in LevelStatus.objects.select_for_update().filter(pk__in=changed).order_by("checkpoint_id"):
        status.forecast_crosses = not status.forecast_crosses
        status.level = level
        bring_up_to_date(status, summarise(status.readings, line_facts(level), rule_of(level)), "no_result", now)
        status.save()
    log.record(
        action="thresholds.forecast.show",
        about=f"level:{level.key}",
        actor=SYSTEM,
        now=now,
        data={"statuses": changed, "crossing": sorted(row.family for row in made if row.crosses)},
    )


def stale(*, now: dt.datetime, limit: int = 500) -> list[int]:
    """Ids of levels in force that were assessed since their forecasts were made, or whose forecasts are not of today; oldest first."""
    today = _day(now)
    inside = {"level__framework__in": in_force(published(), today)}
    assessed = LevelStatus.objects.filter(**inside, assessed__isnull=False).order_by().values_list("level_id").annotate(Max("assessed"))
    made = dict(Forecast.objects.filter(**inside).order_by().values_list("level_id").annotate(Min("made")))
    late = [pk for pk, at in assessed if pk not in made or made[pk] < at + SETTLED or _day(made[pk]) < today]
    return sorted(late, key=lambda pk: (pk in made, made.get(pk), pk))[:limit]
