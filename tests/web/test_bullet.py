import math

from hypothesis import given
from hypothesis import strategies as st

from fsf.web.bullet import WIDTH, draw

NONE = {"point": None, "lower": None, "upper": None, "alert": None, "critical": None}


def test_a_proportion_lies_on_its_valid_range():
    drawn = draw(point=0.5, lower=0.25, upper=0.75, alert=0.25, critical=None, minimum=0.0, maximum=1.0)
    assert (drawn.point, drawn.start, drawn.length, drawn.alert, drawn.critical) == (70.0, 35.0, 70.0, 35.0, None)


def test_nothing_measured_draws_nothing():
    assert draw(**NONE) is None
    assert draw(**{**NONE, "alert": 0.25}) is None


def test_an_unbounded_value_leaves_room_beyond_it():
    drawn = draw(**{**NONE, "point": 19.5, "alert": 12.0})
    assert 0 < drawn.alert < drawn.point < WIDTH


def test_a_log_scale_spaces_by_ratio():
    drawn = draw(**{**NONE, "point": 1.0, "alert": 10.0, "critical": 100.0}, log=True)
    assert math.isclose(drawn.alert - drawn.point, drawn.critical - drawn.alert, abs_tol=0.2)


def test_an_open_interval_reaches_the_edge():
    drawn = draw(**{**NONE, "point": 0.5, "lower": 0.4}, minimum=0, maximum=1)
    assert drawn.start + drawn.length == WIDTH


@given(st.lists(st.floats(allow_nan=False, width=32), min_size=5, max_size=5), st.booleans())
def test_every_mark_lies_inside(values, log):
    drawn = draw(**dict(zip(NONE, values, strict=True)), log=log)
    if drawn is not None:
        marks = [mark for mark in (drawn.point, drawn.start, drawn.alert, drawn.critical) if mark is not None]
        assert all(0 <= mark <= WIDTH for mark in marks)
