"""What is foreseen of a level: the stored forecast of one family as a band on the chart, and whether the alert line is early enough."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from math import log2
from typing import Any

from evals.catalogue import EVERYONE
from evals.models import Evaluation
from fsf.web.bands import Band, Meeting, Step
from fsf.web.looks import LINE_KIND
from fsf.web.scales import Across, X, score_text
from thresholds.forecast import Axis, in_years, running_best, trend
from thresholds.leadtime import DAYS_A_YEAR
from thresholds.models import CapabilityLevel, Forecast
from thresholds.outlook import told
from thresholds.scale import OffScale, Scale
from thresholds.series import Point, scale_of, series_of

_GRID = 24
_KINDS = ("alert", "rule_out", "critical")
_MONTH = DAYS_A_YEAR / 12


@dataclass(frozen=True, slots=True)
class Early:
    """Whether the alert line is early enough, in the words of the box."""

    early: bool
    chance: str  # that critical is reached before the plan is ready
    lead_days: int
    interval_days: int
    leaves: str
    needs: str
    alert_at: str
    risk: str
    says: str
    illustrative: bool


@dataclass(frozen=True, slots=True)
class MeetingWords:
    """When one line is reached, in words."""

    line: str
    crossed: str
    q10: str
    median: str
    q90: str
    straight: str
    within_lead: str
    before_next: str
    never: str


@dataclass(frozen=True, slots=True)
class StepWords:
    """One step of the band in words."""

    at: str
    low: str
    median: str
    high: str
    confident: bool


@dataclass(frozen=True, slots=True)
class Foresight:
    """The forecast of one family on one axis: its band, or why there is none."""

    family: str
    families: list[str]
    refused: str
    band: Band | None = None
    early: Early | None = None
    forecast: Forecast | None = None
    unit: str = ""

    @property
    def meetings(self) -> list[MeetingWords]:
        """When each line is reached."""
        return [self._words(each) for each in self.band.meetings] if self.band else []

    @property
    def critical(self) -> MeetingWords | None:
        """When the critical line is reached."""
        return next((self._words(each) for each in self.band.meetings if each.kind == "critical"), None) if self.band else None

    @property
    def steps(self) -> list[StepWords]:
        """The band as a table."""
        if self.band is None:
            return []
        said, score = self.band.across.said, self._score
        return [StepWords(said(each.x), score(each.low), score(each.median), score(each.high), each.confident) for each in self.band.steps]

    def _score(self, score: float) -> str:
        return score_text(score, self.unit)

    def _words(self, meeting: Meeting) -> MeetingWords:
        said = (self.band.across if self.band else Across()).said
        return MeetingWords(
            line=f"{LINE_KIND[meeting.kind]} {self._score(meeting.value)}",
            crossed=said(meeting.crossed) if meeting.crossed is not None else "",
            q10=said(meeting.q10),
            median=said(meeting.median),
            q90=said(meeting.q90),
            straight=said(meeting.straight) if meeting.straight is not None else "never on this course",
            within_lead=percent(meeting.within_lead),
            before_next=percent(meeting.before_next),
            never=percent(meeting.never),
        )


def percent(chance: float | None) -> str:
    """A probability in whole per cent, its ends never quite reached."""
    if chance is None:
        return "\u2013"
    if chance < 0.01:
        return "under 1 %"
    return "over 99 %" if chance > 0.99 else f"{chance:.0%}".replace("%", " %")


def of(level: CapabilityLevel, evaluation: Evaluation, across: Across, wanted: str) -> Foresight:
    """The forecast to show: of the family asked for, or of the developer whose framework it is, of all labs, or of the first."""
    rows = list(Forecast.objects.filter(level=level, evaluation=evaluation).order_by("family", "axis"))
    families = list(dict.fromkeys(row.family for row in rows))
    family = _chosen(families, wanted, level.framework.developer)
    shown = {row.axis: row for row in rows if row.family == family}
    row = shown.get(across.kind)
    if row is None:
        return Foresight(family, families, "No forecast has been made yet: it follows the first result and is made anew every day.")
    early = _early(shown["date"].content, evaluation) if "date" in shown and not shown["date"].refused else None
    if row.refused:
        return Foresight(family, families, row.refused, early=early, forecast=row)
    history = series_of(evaluation=evaluation, family=family, axis=_axis(across))
    band = band_of(row.content, across, straight_line(history, evaluation, across, row))
    return Foresight(family, families, "", band, early, row, evaluation.unit)


def _chosen(families: Sequence[str], wanted: str, developer: str) -> str:
    by_name = {family.casefold(): family for family in families}
    preferred = (wanted.casefold(), developer.casefold(), EVERYONE.casefold())
    return next((by_name[name] for name in preferred if name in by_name), next(iter(families), ""))


def band_of(content: dict[str, Any], across: Across, straight: tuple[tuple[X, float], ...] = ()) -> Band:
    """A stored forecast as it is drawn."""
    lines = content["lines"]
    return Band(
        across=across,
        here=across.read(content["here"]),
        confident_until=across.read(content["confident_until"]),
        steps=tuple(Step(across.read(each["x"]), each["q10"], each["median"], each["q90"], each["confident"]) for each in content["band"]),
        meetings=tuple(_meeting(kind, lines[kind], across) for kind in _KINDS if kind in lines),
        frontier=tuple((across.read(each["x"]), each["score"]) for each in content["points"]),
        straight=straight,
    )


def _meeting(kind: str, line: dict[str, Any], across: Across) -> Meeting:
    return Meeting(
        kind=kind,
        value=line["value"],
        q10=across.read(line["q10"]),
        median=across.read(line["median"]),
        q90=across.read(line["q90"]),
        straight=across.read(line["straight_line"]),
        crossed=across.read(line["crossed_at"]),
        within_lead=line["within_lead_time"],
        before_next=line["before_next_evaluation"],
        never=line["never"],
    )


def straight_line(history: Sequence[Point], evaluation: Evaluation, across: Across, row: Forecast) -> tuple[tuple[X, float], ...]:
    """Least squares through the whole history of the frontier, from its first point to the end of the band; nothing below two points."""
    try:
        scale = scale_of(evaluation)
        best = _frontier(history, scale)
    except OffScale:
        return ()
    if len(best) < 2:
        return ()
    line = trend([x for x, _ in best], [height for _, height in best], 0.0)
    first, last = best[0][0], _number(row.content["band"][-1]["x"], across)
    grid = [first + (last - first) * number / _GRID for number in range(_GRID + 1)]
    return tuple((across.read(told(x, _axis(across))), scale.read(line.intercept + line.slope * x)) for x in grid)


def _frontier(history: Sequence[Point], scale: Scale) -> list[tuple[float, ...]]:
    """The best so far, as heights on the scale; a score of nothing has none on a logarithmic one."""
    return running_best([(point.x, scale.place(point.score)) for point in history if scale.kind != "log" or point.score > 0])


def _axis(across: Across) -> Axis:
    return "date" if across.dated else "compute"


def _number(stored: str | float, across: Across) -> float:
    """A stored x as the forecast computes with it."""
    return in_years(dt.date.fromisoformat(str(stored))) if across.dated else log2(float(stored))


def _early(content: dict[str, Any], evaluation: Evaluation) -> Early | None:
    found = content["early"]
    if found is None:
        return None
    leaves = found["leaves_days"]
    return Early(
        early=found["early"],
        chance=percent(found["probability"]),
        lead_days=content["lead_days"],
        interval_days=content["interval_days"],
        leaves="more than ten years" if leaves is None else f"{leaves / _MONTH:.1f} months",
        needs=f"{found['window_days'] / _MONTH:.1f} months",
        alert_at=score_text(found["alert_at"], evaluation.unit),
        risk=percent(found["risk"]),
        says=found["says"],
        illustrative=any(line["illustrative"] for line in content["lines"].values()),
    )
