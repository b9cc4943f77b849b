"""From rows to a Plotly figure: pure functions that return plain dicts and import no plotting library.

Colours are those of the light theme. The page swaps each of them for the theme in use, by the names in `TOKENS`.
"""

import datetime as dt
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from fsf.web.looks import LEVEL, LINE_KIND
from fsf.web.numbers import interval_text, value_text
from fsf.web.situation import counted

TOKENS = {
    "#12161d": "--text",
    "#465160": "--text-2",
    "#dfe3e9": "--line",
    "#c5ccd6": "--line-2",
    "#ffffff": "--surface",
    "#1c86ab": "--clear-fill",
    "#a58800": "--watch-fill",
    "#7a58cf": "--open-fill",
    "#dd7a00": "--alert-fill",
    "#b3113f": "--critical-fill",
    "#7e8997": "--none-fill",
    "#8a4200": "--alert",
    "#98103a": "--critical",
    "#0b5f7d": "--clear",
}
TEXT, TEXT_2, LINE, LINE_2, SURFACE = "#12161d", "#465160", "#dfe3e9", "#c5ccd6", "#ffffff"
CLEAR = "rgba(0,0,0,0)"
_MARKERS: dict[str, tuple[str, str, int]] = {
    "critical": ("#b3113f", "octagon", 13),
    "alert": ("#dd7a00", "triangle-up", 13),
    "inconclusive": ("#7a58cf", "diamond-open", 11),
    "watch": ("#a58800", "circle", 10),
    "clear": ("#1c86ab", "circle", 10),
    "no_result": ("#7e8997", "circle-open", 9),
}
_LINES = {"alert": ("#dd7a00", "#8a4200", "dash"), "critical": ("#b3113f", "#98103a", "solid"), "rule_out": ("#1c86ab", "#0b5f7d", "dot")}
_MOST_LABELS = 12
_WIDTH_SHARE = 0.16
_HEIGHT_SHARE = 0.055


@dataclass(frozen=True, slots=True)
class Point:
    """One run's score with its one-sided bounds; `state` is what its evidence alone says, `void` why it no longer counts, if so."""

    name: str
    ref: str
    day: dt.date
    score: float
    lower: float | None
    upper: float | None
    state: str
    void: str = ""


@dataclass(frozen=True, slots=True)
class Line:
    """One line drawn beforehand: alert, critical or rule_out, in the evaluation's unit."""

    kind: str
    value: float
    illustrative: bool

    @property
    def label(self) -> str:
        """What is written on the line."""
        return f"{LINE_KIND[self.kind]} {{}}{' · illustrative line' if self.illustrative else ''}"


@dataclass(frozen=True, slots=True)
class Axis:
    """What the scores are: the axis title, the unit, the scale and the valid range where it is known."""

    title: str
    unit: str
    log: bool = False
    minimum: float | None = None
    maximum: float | None = None
    lower_is_stronger: bool = False


def _counting(points: Sequence[Point]) -> list[Point]:
    return [point for point in points if not point.void]


def _known(points: Sequence[Point], lines: Sequence[Line]) -> list[float]:
    """Every number to be shown; an absurd score that was withdrawn must not stretch the axis while any other run counts."""
    values = [value for point in _counting(points) or points for value in (point.score, point.lower, point.upper) if value is not None]
    return [value for value in [*values, *(line.value for line in lines)] if math.isfinite(value)]


def value_range(points: Sequence[Point], lines: Sequence[Line], axis: Axis) -> tuple[float, float]:
    """The stretch of the score axis in score units: the valid range of a proportion, else all values with room around them."""
    values = _known(points, lines) or [0.0, 1.0]
    if axis.log:
        positive = [value for value in values if value > 0] or [1.0]
        return min(positive) / 1.6, max(positive) * 1.8
    if axis.unit == "proportion":
        return 0.0, max(1.0, *values)
    low = axis.minimum if axis.minimum is not None else min(0.0, *values)
    return low, max(values) + 0.15 * ((max(values) - low) or 1.0)


def date_range(points: Sequence[Point], today: dt.date) -> tuple[dt.date, dt.date]:
    """The stretch of the date axis: every point, with a tenth of room on both sides and never less than a month."""
    days = [point.day for point in points] or [today]
    first, last = min(days), max(days)
    room = max(dt.timedelta(days=30), (last - first) / 10)
    return first - room, last + room


def span_text(point: Point, unit: str) -> str:
    """The interval of a point in words, or that it has none, or that the point no longer counts."""
    if point.void:
        return point.void
    interval = interval_text(point.lower, point.upper, unit)
    return interval if interval == "no interval" else f"interval {interval}"


def _arm(bound: float | None, score: float) -> float:
    return abs(bound - score) if bound is not None and math.isfinite(bound) else 0.0


def _interval_bars(points: Sequence[Point], colour: str) -> dict[str, Any]:
    return {
        "type": "data",
        "symmetric": False,
        "array": [_arm(point.upper, point.score) for point in points],
        "arrayminus": [_arm(point.lower, point.score) for point in points],
        "thickness": 1.6,
        "width": 4,
        "color": colour,
    }


def _trace(state: str, points: Sequence[Point], labelled: set[str], unit: str) -> dict[str, Any]:
    colour, symbol, size = _MARKERS[state]
    edge = colour if symbol.endswith("open") else SURFACE
    return {
        "type": "scatter",
        "mode": "markers+text",
        "name": LEVEL[state].word,
        "x": [point.day.isoformat() for point in points],
        "y": [point.score for point in points],
        "error_y": _interval_bars(points, colour),
        "text": [f"  {point.name}  " if point.ref in labelled else "" for point in points],
        "textposition": "top left",
        "textfont": {"size": 11.5, "color": TEXT_2},
        "customdata": [[point.name, point.ref, value_text(point.score, unit), span_text(point, unit)] for point in points],
        "hovertemplate": "%{customdata[0]} · %{customdata[1]}<br>%{x|%-d %b %Y}<br>%{customdata[2]}, %{customdata[3]}<extra></extra>",
        "marker": {"size": size, "symbol": symbol, "color": colour, "line": {"color": edge, "width": 1.5}},
        "cliponaxis": False,
    }


def _meets(one: tuple[float, float], other: tuple[float, float]) -> bool:
    """Whether two names would meet; places are shares of the chart's width and height."""
    return abs(one[0] - other[0]) <= _WIDTH_SHARE and abs(one[1] - other[1]) <= _HEIGHT_SHARE


def labelled_points(points: Sequence[Point], low: float, high: float) -> set[str]:
    """Which points get their name written beside them: the highest first, and none so near to another that the names would meet."""
    first, last = date_range(points, dt.date(2000, 1, 1))
    placed: dict[str, tuple[float, float]] = {}
    for point in sorted(points, key=lambda each: each.score, reverse=True):
        place = ((point.day - first) / (last - first), (point.score - low) / (high - low))
        if len(placed) < _MOST_LABELS and not any(_meets(place, other) for other in placed.values()):
            placed[point.ref] = place
    return set(placed)


def _shape(line: Line) -> dict[str, Any]:
    colour, _, dash = _LINES[line.kind]
    return {
        "type": "line",
        "xref": "paper",
        "x0": 0,
        "x1": 1,
        "y0": line.value,
        "y1": line.value,
        "line": {"color": colour, "width": 2.2 if line.kind == "critical" else 1.8, "dash": dash},
        "layer": "below",
    }


def _zone(line: Line, edge: float) -> dict[str, Any]:
    colour = _LINES[line.kind][0]
    return {
        "type": "rect",
        "xref": "paper",
        "x0": 0,
        "x1": 1,
        "y0": line.value,
        "y1": edge,
        "fillcolor": colour,
        "opacity": 0.06,
        "line": {"width": 0},
        "layer": "below",
    }


def _annotation(line: Line, axis: Axis) -> dict[str, Any]:
    return {
        "xref": "paper",
        "x": 0,
        "xanchor": "left",
        "y": math.log10(line.value) if axis.log and line.value > 0 else line.value,
        "yanchor": "top" if axis.lower_is_stronger else "bottom",
        "text": line.label.format(value_text(line.value, axis.unit)),
        "showarrow": False,
        "font": {"size": 12.5, "color": _LINES[line.kind][1], "weight": 600},
    }


def _layout(axis: Axis, span: tuple[float, float], days: tuple[dt.date, dt.date]) -> dict[str, Any]:
    low, high = span
    ticks: dict[str, Any] = {"dtick": 0.2, "tickformat": ".1f"} if axis.unit == "proportion" else {"nticks": 7}
    if axis.log:
        ticks = {"dtick": "D2", "tickformat": ",~g"}
    return {
        "margin": {"l": 58, "r": 24, "t": 24, "b": 44},
        "paper_bgcolor": CLEAR,
        "plot_bgcolor": CLEAR,
        "showlegend": False,
        "font": {"family": "Inter, system-ui, sans-serif", "size": 12.5, "color": TEXT_2},
        "hoverlabel": {"bgcolor": SURFACE, "bordercolor": LINE_2, "font": {"color": TEXT, "size": 12.5}, "align": "left"},
        "xaxis": {
            "type": "date",
            "range": [day.isoformat() for day in days],
            "gridcolor": CLEAR,
            "linecolor": LINE_2,
            "ticks": "outside",
            "tickcolor": LINE_2,
            "ticklen": 4,
            "tickformat": "%-d %b %Y" if (days[1] - days[0]).days < 150 else "%b %Y",
            "nticks": 7,
            "tickangle": 0,
        },
        "yaxis": {
            "type": "log" if axis.log else "linear",
            "range": [math.log10(low), math.log10(high)] if axis.log else [low, high],
            "gridcolor": LINE,
            "zeroline": False,
            "title": {"text": axis.title, "standoff": 8, "font": {"size": 12.5}},
            **ticks,
        },
    }


def _void_trace(points: Sequence[Point], unit: str) -> dict[str, Any]:
    """Hollow and grey, without name and interval: what no longer counts must not look like evidence."""
    drawn = _trace("no_result", points, set(), unit)
    return {**drawn, "mode": "markers", "name": "No longer counts", "error_y": {"visible": False}, "cliponaxis": True}


def _traces(points: Sequence[Point], labelled: set[str], unit: str) -> list[dict[str, Any]]:
    """One trace for each state that occurs, the most serious first, and one for the runs that no longer count."""
    by_state = {state: [point for point in _counting(points) if point.state == state] for state in _MARKERS}
    void = [point for point in points if point.void]
    traces = [_trace(state, found, labelled, unit) for state, found in by_state.items() if found]
    return traces + ([_void_trace(void, unit)] if void else [])


def figure(points: Sequence[Point], lines: Sequence[Line], axis: Axis, today: dt.date) -> dict[str, Any]:
    """Score against date, one trace per state, each with its interval; the lines are drawn and labelled, their far side tinted."""
    low, high = span = value_range(points, lines, axis)
    layout = _layout(axis, span, date_range(points, today))
    edge = low if axis.lower_is_stronger else high
    layout["shapes"] = [_zone(line, edge) for line in lines if line.kind != "rule_out"] + [_shape(line) for line in lines]
    layout["annotations"] = [_annotation(line, axis) for line in lines]
    return {"data": _traces(points, labelled_points(_counting(points), low, high), axis.unit), "layout": layout}


def summary(points: Sequence[Point], lines: Sequence[Line], axis: Axis) -> str:
    """The chart in words, for those who do not see it."""
    drawn = [line.label.format(value_text(line.value, axis.unit)) for line in lines]
    said = f"Lines: {', '.join(drawn)}." if drawn else "No line is drawn."
    counting = _counting(points)
    if void := len(points) - len(counting):
        said = f"{counted(void, 'run')} no longer {'counts' if void == 1 else 'count'}. {said}"
    if not counting:
        return f"No score {'that counts ' if void else ''}yet. {said}"
    newest = max(counting, key=lambda each: (each.day, each.ref))
    return (
        f"{axis.title}, {counted(len(counting), 'run')}. The newest, {newest.name} on {newest.day:%-d %B %Y}, scored "
        f"{value_text(newest.score, axis.unit)}, {span_text(newest, axis.unit)}. {said}"
    )
