import datetime as dt
import json
from dataclasses import replace

import plotly.graph_objects as go
import pytest

from fsf.web.charts import TOKENS, Axis, Line, Point, figure, labelled_points, summary, value_range

TODAY = dt.date(2026, 11, 22)
PRO = Point("Gemini 2.5 Pro", "R-1", dt.date(2025, 6, 17), 0.5, 0.245, 0.755, "alert")
FLASH = Point("Gemini 2.0 Flash", "R-2", dt.date(2025, 2, 1), 0.0, 0.0, 0.221, "clear")
ALERT = Line("alert", 0.25, illustrative=True)
SHARE = Axis("Share solved", "proportion", maximum=1.0)
RATIO = Axis("Times the baseline", "ratio", log=True)


@pytest.mark.parametrize("axis", [SHARE, RATIO, Axis("Points", "points"), Axis("Minutes", "minutes", lower_is_stronger=True)])
def test_plotly_accepts_the_figure(axis):
    drawn = figure([PRO, FLASH], [ALERT, Line("critical", 0.8, illustrative=False), Line("rule_out", 0.9, illustrative=False)], axis, TODAY)
    go.Figure(drawn)
    json.dumps(drawn, allow_nan=False)


def test_each_point_carries_its_own_interval():
    (alert,) = figure([PRO], [ALERT], SHARE, TODAY)["data"]
    assert alert["y"] == [0.5]
    assert alert["error_y"]["array"] == [pytest.approx(0.255)]
    assert alert["error_y"]["arrayminus"] == [pytest.approx(0.255)]
    assert alert["customdata"] == [["Gemini 2.5 Pro", "R-1", "0.50", "interval 0.24\u20130.76"]]


def test_an_illustrative_line_says_so_on_the_line():
    drawn = figure([PRO], [ALERT, Line("critical", 0.8, illustrative=False)], SHARE, TODAY)
    assert [each["text"] for each in drawn["layout"]["annotations"]] == ["Alert 0.25 · illustrative line", "Critical 0.80"]
    assert {shape["y0"] for shape in drawn["layout"]["shapes"] if shape["type"] == "line"} == {0.25, 0.8}


def test_states_are_told_apart_by_shape_as_well_as_by_colour():
    drawn = figure([PRO, FLASH], [ALERT], SHARE, TODAY)
    assert {trace["name"]: trace["marker"]["symbol"] for trace in drawn["data"]} == {
        "Alert reached": "triangle-up",
        "Below alert": "circle",
    }


def test_every_colour_has_a_token_of_the_theme():
    text = json.dumps(figure([PRO, FLASH], [ALERT], SHARE, TODAY))
    assert all(part[:7] in TOKENS for part in (piece for piece in text.replace('"', " ").split() if piece.startswith("#")))


def test_the_ranges_hold_every_value():
    assert value_range([PRO], [ALERT], SHARE) == (0.0, 1.0)
    low, high = value_range([PRO], [Line("alert", 100.0, illustrative=False)], RATIO)
    assert low < PRO.lower
    assert high > 100


def test_a_run_that_no_longer_counts_is_hollow_nameless_and_does_not_stretch_the_scale():
    absurd = replace(PRO, ref="R-9", score=900.0, void="withdrawn")
    drawn = figure([PRO, absurd], [ALERT], Axis("Points", "points"), TODAY)
    go.Figure(drawn)
    void = drawn["data"][-1]
    assert (void["name"], void["mode"], void["marker"]["symbol"]) == ("No longer counts", "markers", "circle-open")
    assert void["customdata"] == [["Gemini 2.5 Pro", "R-9", "900", "withdrawn"]]
    assert drawn["layout"]["yaxis"]["range"][1] < 1
    assert summary([absurd], [], SHARE) == "No score that counts yet. 1 run no longer counts. No line is drawn."


def test_names_that_would_meet_are_not_both_written():
    twin = Point("Gemini 2.5 Pro again", "R-3", PRO.day, 0.49, None, None, "alert")
    assert labelled_points([PRO, twin], 0.0, 1.0) == {"R-1"}


def test_the_chart_is_said_in_words():
    assert summary([PRO, FLASH], [ALERT], SHARE) == (
        "Share solved, 2 runs. The newest, Gemini 2.5 Pro on 17 June 2025, scored 0.50, interval 0.24\u20130.76. "
        "Lines: Alert 0.25 · illustrative line."
    )
    assert summary([], [], SHARE) == "No score yet. No line is drawn."


def test_without_points_there_is_still_a_valid_figure():
    go.Figure(figure([], [ALERT], SHARE, TODAY))
