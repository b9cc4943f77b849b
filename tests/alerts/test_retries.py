import datetime as dt

from alerts.retries import FIRST, LONGEST, PATIENCE, next_try, wait_after

QUEUED = dt.datetime(2026, 11, 16, 14, 2, tzinfo=dt.UTC)


def test_waits_double_from_five_seconds_to_ten_minutes_less_up_to_a_fifth():
    waits = [wait_after(count, seed="7") for count in range(1, 30)]
    full = [min(LONGEST, FIRST * 2**count) for count in range(29)]
    assert all(whole * 0.8 < wait <= whole for wait, whole in zip(waits, full, strict=True))


def test_the_same_history_gives_the_same_wait_and_two_alerts_spread_out():
    assert wait_after(9, seed="7") == wait_after(9, seed="7") != wait_after(9, seed="8")


def test_an_alert_is_tried_for_72_hours_and_once_more_at_their_end():
    moment, attempts = QUEUED, 0
    while (again := next_try(queued=QUEUED, now=moment, attempts=attempts + 1, seed="7")) is not None:
        assert again > moment
        moment, attempts = again, attempts + 1
    assert moment == QUEUED + PATIENCE
    assert 432 < attempts < 600
