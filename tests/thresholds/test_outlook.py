import datetime as dt
import json
from math import log2

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from audit.models import Entry
from evals.ingest import invalidate_run
from evals.models import Checkpoint, EvalRun, Evaluation, FrontierModel
from thresholds.forecast import as_date, forecast, in_years
from thresholds.models import CapabilityLevel, Forecast, LevelStatus
from thresholds.outlook import SETTLED, interval_of, refresh, stale
from thresholds.scale import Scale
from thresholds.series import scale_of, series_of
from thresholds.withdrawal import withdraw_run

pytestmark = pytest.mark.django_db
SCORES = (1.0, 2.1, 3.8, 9.0, 15.0, 33.0)  # minutes; one new checkpoint every 90 days, the last today
MINUTES = {"slug": "horizon", "unit": "minutes", "scale": "log", "minimum": None, "maximum": None}


@pytest.fixture
def draw(enact):
    """Enacts an alert and a critical line on the horizon; what else is given goes to the framework."""

    def draw(alert=1000, critical=4000, *, level=None, evaluation=None, **about):
        both = {("alert", "precautionary"): alert, ("critical", "point"): critical}
        lines = [
            {"kind": kind, "policy": policy, "evaluation": "horizon@1", "value": value, "source": "s"}
            for (kind, policy), value in both.items()
            if value
        ]
        framework = enact(
            levels=[{"thresholds": lines, "lead_days": 60, **(level or {})}],
            evaluations=[{**MINUTES, **(evaluation or {})}],
            **{"slug": "north", **about},
        )
        return CapabilityLevel.objects.get(framework=framework)

    return draw


@pytest.fixture
def measure(post, now):
    """The score of a checkpoint that was released and measured so many days ago."""

    def measure(slug, score, days, *, family="", developer="Northwind", compute=None, **more):
        model, _ = FrontierModel.objects.get_or_create(slug=f"{developer}{family}", name="M", developer=developer, family=family)
        about = {"model": model, "name": slug, "released": now.date() - dt.timedelta(days), "effective_compute": compute}
        Checkpoint.objects.get_or_create(slug=slug, defaults=about)
        item = {"metric": "solved", "value": score, "ci_low": score * 0.9, "ci_high": score * 1.1, "n_tasks": 50}
        return post(checkpoint=slug, **{"day": -days, "evaluation": "horizon@1", "measurements": [item], **more})

    return measure


@pytest.fixture
def rising(measure):
    """A family whose frontier rises by about a doubling every 90 days, and its compute by one each time."""

    def rising(prefix="aurora", scores=SCORES, *, compute=1e24, **more):
        for number, score in enumerate(scores):
            measure(f"{prefix}-{number}", score, 90 * (len(scores) - 1 - number), compute=compute and compute * 2**number, **more)

    return rising


def states():
    return list(LevelStatus.objects.order_by("checkpoint_id").values_list("state", flat=True))


def made(level, now, axis="date"):
    """The only forecast by an axis."""
    (found,) = [row for row in refresh(level_id=level.pk, now=now) if row.axis == axis]
    return found


def test_a_forecast_is_that_of_the_rule_on_the_best_score_of_each_checkpoint(draw, rising, measure, now):
    level = draw()
    rising()
    measure("aurora-5", 20.0, 0)
    found = made(level, now)
    points = [(in_years(now.date() - dt.timedelta(90 * (5 - number))), score) for number, score in enumerate(SCORES)]
    rule = forecast(points, 1000, scale=Scale("log"), now=in_years(now.date()))
    told = found.content["lines"]["alert"]
    assert [told[name] for name in ("q10", "median", "q90")] == [str(as_date(x)) for x in (rule.q10, rule.median, rule.q90)]
    assert (told["never"], told["crossed_at"], told["in_time"], found.refused, found.crosses) == (rule.never, None, True, "", False)
    assert [point["checkpoint"] for point in found.content["points"]] == [f"aurora-{number}" for number in range(6)]
    assert (len(found.content["band"]), found.content["band"][0]["median"]) == (13, pytest.approx(33.0))
    json.dumps(found.content, allow_nan=False)


def test_of_a_pair_of_lines_it_says_whether_the_warning_is_early_enough(draw, rising, now):
    level = draw(retest_days=30)
    rising()
    early = made(level, now).content["early"]
    assert (early["window_days"], early["distance"], early["early"]) == (pytest.approx(90), 2, early["probability"] <= 0.1)


def test_without_a_pair_of_lines_nothing_is_said_of_the_warning(draw, rising, now):
    level = draw(critical=None)
    rising()
    content = made(level, now).content
    assert (list(content["lines"]), content["early"]) == (["alert"], None)


def test_the_shortest_calendar_rule_is_the_interval(draw):
    cadence = [{"trigger": "calendar", "days": 45, "source": "s"}, {"trigger": "post_training", "months": 1, "source": "s"}]
    assert (interval_of(draw(cadence=cadence)), interval_of(draw(slug="other"))) == (45, 90)


def test_the_next_evaluation_is_an_interval_after_the_last_or_from_now_where_that_has_passed(draw, rising, now):
    level = draw()
    rising()
    assert made(level, now).content["next_evaluation"] == str(now.date() + dt.timedelta(90))
    later = now + dt.timedelta(100)
    assert made(level, later).content["next_evaluation"] == str(later.date() + dt.timedelta(90))


def test_by_compute_it_speaks_of_flop_and_of_the_multiple_that_asks_for_an_evaluation(draw, rising, now):
    level = draw(cadence=[{"trigger": "effective_compute", "multiple": 4, "source": "s"}])
    rising()
    found = made(level, now, "compute")
    told = found.content["lines"]["alert"]
    assert found.content["here"] == pytest.approx(1e24 * 2**5)
    assert (told["q10"] > found.content["here"], 0 < told["before_next_evaluation"] < 1) == (True, True)
    assert (told["within_lead_time"], told["in_time"], found.content["early"], found.crosses) == (None, None, None, False)


def test_checkpoints_without_compute_have_no_place_on_that_axis_and_are_counted(draw, rising, now):
    level = draw()
    rising(compute=None)
    assert made(level, now, "compute").refused == (
        "A forecast needs at least 5 frontier points of the last 24 months; there are 0. Of 6 more the effective compute is not recorded."
    )


def test_too_few_points_are_refused_politely_and_raise_nothing(draw, rising, now):
    level = draw()
    rising(scores=SCORES[:4])
    found = made(level, now)
    assert (found.content, found.crosses, "there are 4" in found.refused) == ({}, False, True)


def test_grades_by_experts_are_not_extended(now):
    panel = Evaluation(slug="panel", version="1", unit="grade", kind="expert")
    with pytest.raises(ValueError, match="panel@1 is graded by experts"):
        scale_of(panel)


@pytest.mark.parametrize(
    ("declared", "scale"),
    [
        ({"unit": "proportion"}, Scale("logit")),
        ({"unit": "proportion", "n_tasks": 40, "direction": "lower"}, Scale("logit", lower=True, tasks=40)),
        ({"unit": "minutes", "scale": "log"}, Scale("log")),
        ({"unit": "points"}, Scale("linear")),
    ],
)
def test_the_scale_follows_from_what_the_evaluation_declares(declared, scale):
    assert scale_of(Evaluation(**declared)) == scale


def series(axis="date", family="Northwind"):
    return [
        (point.checkpoint, point.score) for point in series_of(evaluation=Evaluation.objects.get(version="1"), family=family, axis=axis)
    ]


def test_what_does_not_count_is_no_point(draw, measure, ada, now):
    draw()
    measure("a", 4.0, 9)
    measure("a", 8.0, 9, status="error")
    bad = measure("b", 16.0, 8)
    invalidate_run(run_id=bad["id"], reason="wrong weights", actor=ada.as_actor(), now=now)
    old = measure("c", 32.0, 7, external_id="c")
    measure("c", 2.0, 7, external_id="c", supersedes=old["id"])
    assert series() == [("a", 4.0), ("c", 2.0)]


def test_where_lower_is_stronger_the_lowest_score_is_the_best(draw, measure):
    draw(evaluation={"direction": "lower"}, alert=None, critical=None, level={"thresholds": []})
    measure("a", 4.0, 9)
    measure("a", 8.0, 8)
    assert series() == [("a", 4.0)]


def test_a_score_is_known_at_the_latest_from_when_it_was_measured(draw, measure, now):
    draw()
    measure("a", 4.0, 9)
    Checkpoint.objects.update(released=now.date() + dt.timedelta(50))
    (point,) = series_of(evaluation=Evaluation.objects.get(), family="northwind", axis="date")
    assert point.x == point.date == in_years(now.date() - dt.timedelta(9))


def test_by_compute_x_is_the_number_of_doublings(draw, measure):
    draw()
    measure("a", 4.0, 9, compute=2.0**80)
    measure("b", 5.0, 9)
    (point,) = series_of(evaluation=Evaluation.objects.get(), family="Northwind", axis="compute")
    assert (point.x, point.checkpoint) == (80, "a") == (log2(2.0**80), "a")


@pytest.mark.parametrize(
    ("first", "second", "joined"),
    [
        ({"comparability": "same"}, {"comparability": "same"}, True),
        ({"comparability": "same"}, {"comparability": "other"}, False),
        ({"comparability": "same"}, {"comparability": "same", "unit": "points"}, False),
        ({"comparability": "same"}, {"comparability": "same", "validity": [{"flag": "not_comparable"}]}, False),
        ({"comparability": "same", "validity": [{"flag": "not_comparable"}]}, {"comparability": "same"}, False),
        ({"comparability": "same", "validity": [{"flag": "saturated"}]}, {"comparability": "same"}, True),
        ({}, {}, False),
    ],
)
def test_versions_are_joined_only_by_the_same_word_and_while_none_is_flagged(draw, measure, first, second, joined):
    draw()
    about = {"slug": "horizon", "name": "H", "unit": "minutes", "scale": "log", "direction": "higher"}
    Evaluation.objects.filter(version="1").update(**first)
    Evaluation.objects.create(version="2", **{**about, **second})
    measure("a", 4.0, 9)
    measure("b", 8.0, 8, evaluation="horizon@2")
    assert series() == [("a", 4.0), *([("b", 8.0)] if joined else [])]


def test_each_family_has_its_own_frontier_whatever_its_developer_is_called(draw, rising, measure, now):
    level = draw()
    rising(family="Aurora")
    measure("borealis-1", 2.0, 3)
    measure("other-1", 2.0, 3, family="AURORA", developer="Southwind")
    found = {row.family: bool(row.refused) for row in refresh(level_id=level.pk, now=now) if row.axis == "date"}
    assert found == {"Aurora": False, "Northwind": True, "All labs": False}
    assert [name for name, _ in series(family="aurora")][-2:] == ["other-1", "aurora-5"]


def test_a_line_reached_within_the_lead_time_raises_clear_to_watch(draw, rising, now):
    level = draw(alert=60, critical=240)
    rising()
    assert states() == ["clear"] * 6
    found = made(level, now)
    assert (found.crosses, found.content["lines"]["alert"]["in_time"]) == (True, False)
    assert states() == ["watch"] * 6
    row = LevelStatus.objects.latest("checkpoint_id")
    assert (row.forecast_crosses, row.reading_state) == (True, "watch")
    assert "ruled out under the policy precautionary. The forecast reaches a line within the lead time." in row.message
    (entry,) = Entry.objects.filter(action="thresholds.forecast.show")
    assert (entry.about, entry.data["crossing"], len(entry.data["statuses"])) == (f"level:{level.key}", ["Northwind"], 6)


def test_a_new_checkpoint_of_the_family_is_watched_from_its_first_result_on(draw, rising, measure, now):
    level = draw(alert=60, critical=240)
    rising()
    made(level, now)
    measure("aurora-new", 2.0, 3)
    assert LevelStatus.objects.get(checkpoint__slug="aurora-new").state == "watch"


def test_time_alone_brings_a_line_within_the_lead_time(draw, rising, now):
    level = draw(alert=100)
    rising()
    assert made(level, now).crosses is False
    assert made(level, now + dt.timedelta(60)).crosses is True
    assert set(states()) == {"watch"}


def test_what_a_forecast_raised_goes_back_once_it_reaches_no_line_in_time(draw, rising, ada, now):
    level = draw(alert=60, critical=240)
    rising()
    refresh(level_id=level.pk, now=now)
    for run in EvalRun.objects.order_by("completed")[:2]:
        withdraw_run(run_id=run.pk, reason="wrong weights", actor=ada.as_actor(), now=now)
    assert states()[2:] == ["watch"] * 4
    assert "there are 4" in made(level, now).refused
    assert (states()[2:], LevelStatus.objects.filter(forecast_crosses=True).count()) == (["clear"] * 4, 0)
    assert "forecast" not in LevelStatus.objects.latest("pk").message


def test_a_forecast_clears_nothing_and_lowers_nothing(draw, rising, measure, now):
    level = draw(alert=60, critical=240)
    rising()
    measure("aurora-6", 300.0, 0)
    measure("aurora-7", 30.0, 0, status="error")
    before = states()[6:]
    refresh(level_id=level.pk, now=now)
    assert before == states()[6:] == ["critical", "inconclusive"]
    EvalRun.objects.update(complete=False)
    refresh(level_id=level.pk, now=now)
    assert (states()[6:], LevelStatus.objects.filter(forecast_crosses=True).count()) == (before, 0)


def test_another_family_is_not_raised(draw, rising, measure, now):
    level = draw(alert=60, critical=240)
    rising()
    measure("far-1", 2.0, 3, family="Far")
    refresh(level_id=level.pk, now=now)
    assert states() == [*["watch"] * 6, "clear"]


def test_all_labs_together_are_foreseen_beside_each_and_raise_nobody(draw, measure, now):
    level = draw(alert=60, critical=240)
    for number, score in enumerate(SCORES):
        measure(f"m-{number}", score, 450 - 90 * number, developer=("Northwind", "Southwind")[number % 2])
    found = {row.family: (bool(row.refused), row.crosses) for row in refresh(level_id=level.pk, now=now) if row.axis == "date"}
    assert found == {"Northwind": (True, False), "Southwind": (True, False), "All labs": (False, True)}
    assert set(states()) == {"clear"}


def test_one_family_alone_is_not_told_twice(draw, rising, now):
    level = draw()
    rising()
    assert {row.family for row in refresh(level_id=level.pk, now=now)} == {"Northwind"}


def test_a_level_that_was_not_signed_down_stays_reached(draw, rising, measure, now):
    level = draw(alert=60, critical=240)
    measure("aurora-5", 70.0, 300)
    measure("aurora-5", 1.0, 200)
    rising()
    refresh(level_id=level.pk, now=now)
    assert LevelStatus.objects.get(checkpoint__slug="aurora-5").state == "alert"


def test_refreshing_twice_changes_nothing(draw, rising, now):
    level = draw(alert=60, critical=240)
    rising()
    first = [(row.pk, row.content, row.crosses) for row in refresh(level_id=level.pk, now=now)]
    rows, entries = list(LevelStatus.objects.order_by("pk").values()), Entry.objects.count()
    assert [(row.pk, row.content, row.crosses) for row in refresh(level_id=level.pk, now=now)] == first
    assert (list(LevelStatus.objects.order_by("pk").values()), Entry.objects.count()) == (rows, entries)


def test_a_family_that_has_no_checkpoint_any_more_has_no_forecast(draw, rising, now):
    level = draw()
    rising()
    refresh(level_id=level.pk, now=now)
    FrontierModel.objects.update(family="Aurora")
    refresh(level_id=level.pk, now=now + dt.timedelta(seconds=1))
    assert set(Forecast.objects.values_list("family", flat=True)) == {"Aurora"}


def test_a_flag_set_after_the_lines_were_read_is_seen(draw, rising, now):
    level = draw()
    rising()
    refresh(level_id=level.pk, now=now)
    Evaluation.objects.update(validity=[{"flag": "saturated"}])
    assert made(level, now).content["validity"] == ["saturated"]


def test_a_level_is_stale_until_it_is_forecast_after_its_newest_assessment_and_again_the_next_day(draw, measure, now):
    level = draw()
    assert stale(now=now) == []
    measure("a", 4.0, 9)
    assert stale(now=now) == [level.pk]
    later = now + dt.timedelta(minutes=2)
    refresh(level_id=level.pk, now=later)
    assert (stale(now=later), stale(now=later + dt.timedelta(days=1))) == ([], [level.pk])
    LevelStatus.objects.update(assessed=later - dt.timedelta(seconds=1))
    assert stale(now=later) == [level.pk]


def test_the_oldest_forecast_comes_first_and_what_is_not_in_force_not_at_all(draw, measure, now):
    one, two, three = draw(slug="one"), draw(slug="two"), draw(slug="three")
    measure("a", 4.0, 9)
    refresh(level_id=one.pk, now=now)
    refresh(level_id=two.pk, now=now - dt.timedelta(days=1))
    assert (stale(now=now), stale(now=now, limit=1)) == ([three.pk, two.pk, one.pk], [three.pk])
    refresh(level_id=three.pk, now=now + 2 * SETTLED)
    assert stale(now=now) == [two.pk, one.pk]


def test_a_level_of_a_version_that_is_not_in_force_is_left_alone(draw, measure, now):
    old = draw()
    measure("a", 4.0, 9)
    new = draw(version="2.0", effective_from=str(now.date()), supersedes="1.0", reason="Moved.")
    measure("a", 4.0, 0)
    assert stale(now=now) == [new.pk]
    assert LevelStatus.objects.filter(level=old).exists()


def test_one_refresh_takes_the_same_number_of_queries_for_any_number_of_families(draw, measure, now):
    level, counts = draw(), []
    for number in (1, 2, 3):
        measure(f"m-{number}", 4.0, 9, family=f"F{number}")
        with CaptureQueriesContext(connection) as captured:
            refresh(level_id=level.pk, now=now)
        counts.append(len(captured))
    assert counts[0] == counts[2]
