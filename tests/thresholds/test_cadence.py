"""The facts behind fresh and due, gathered from rows."""

import datetime as dt
from dataclasses import replace

import msgspec
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.roles import SYSTEM
from evals.catalogue import register_checkpoint, register_model
from evals.models import Checkpoint, EvalRun, FrontierModel
from fsf.management.commands.load_framework import load_draft
from tests.conftest import small_file
from thresholds.cadence import Score, cover_levels, jumps, wholly_read
from thresholds.combining import LineFact
from thresholds.models import Assessment, CapabilityLevel, Equivalence, LevelStatus
from thresholds.reported import record_determination

NOON = dt.datetime(2026, 11, 22, 12, tzinfo=dt.UTC)
ONE, OTHER = LineFact("a@1", "alert", required=True), LineFact("b@1", "alert", required=True)
ALTERNATIVES = [replace(line, alternative="x") for line in (ONE, OTHER)]
OPTIONAL = [replace(line, required=False) for line in (ONE, OTHER)]


@pytest.fixture
def now():
    return NOON


@pytest.fixture
def add(db, now):
    """Registers a checkpoint of Aurora, or of the model named."""

    def add(slug, model="aurora", developer="Northwind", **fields):
        row = register_model(slug=model, name=model.title(), developer=developer, actor=SYSTEM, now=now)
        return register_checkpoint(model=row, fields={"slug": slug, "name": slug.title(), **fields}, actor=SYSTEM, now=now)

    return add


@pytest.fixture
def rules(enact):
    """Loads the small framework with a cadence, and with whatever else is changed."""

    def rules(*cadence, **changes):
        return enact(cadence=[{"source": "the tests", **rule} for rule in cadence], **changes)

    return rules


def asked(now, *checkpoints):
    return cover_levels(checkpoints=checkpoints or Checkpoint.objects.select_related("model").order_by("pk"), now=now)


def states(now, *checkpoints):
    return {each.checkpoint.slug: each.coverage.state for each in asked(now, *checkpoints)}


def detail(covered, trigger):
    (found,) = [reason.detail for reason in covered.coverage.reasons if reason.trigger == trigger]
    return found


def day(number):
    return (NOON + dt.timedelta(number)).date()


def inherit(checkpoint, source, now, ada, **more):
    """Lets a checkpoint inherit the only reading of another one, by a signed equivalence."""
    signed = Equivalence.objects.create(
        checkpoint=checkpoint, source=source, limits="none", reason="A small step.", signed_by=ada, at=now, expires=now + dt.timedelta(60)
    )
    assessment = Assessment.objects.get(checkpoint=source)
    assessment.pk, assessment.checkpoint, assessment.inherited, assessment.at = None, checkpoint, signed, now
    assessment.save()
    return LevelStatus.objects.create(
        checkpoint=checkpoint, level=assessment.level, state="clear", taken=assessment.run.completed, valid_until=signed.expires, **more
    )


def test_a_level_is_never_run_then_fresh_then_due_then_overdue(small, aurora, post, now):
    assert states(now, aurora) == {"aurora-1": "never_run"}
    post(0, 12, day=-10)
    ahead = [states(now + dt.timedelta(days), aurora)["aurora-1"] for days in (0, 65, 66, 80, 81)]
    assert ahead == ["fresh", "fresh", "due", "due", "overdue"]


def test_only_the_published_versions_in_force_for_the_developer_are_asked(enact, add, now):
    enact(version="1.0", effective_from=dt.date(2020, 1, 1))
    enact(version="2.0", effective_from=dt.date(2026, 1, 1))
    enact(version="3.0", effective_from=dt.date(2030, 1, 1))
    enact(slug="other", developer="Eastwind")
    small = small_file()
    load_draft(msgspec.structs.replace(small, framework=msgspec.structs.replace(small.framework, slug="draft")), now=now)
    checkpoint = add("aurora-1", developer="NORTHWIND")
    assert [each.level.key for each in asked(now, checkpoint)] == ["small-2.0.uplift"]
    assert asked(now, add("west-1", model="west", developer="Westwind")) == []


def test_what_was_read_under_an_earlier_version_only_is_never_run_under_the_one_in_force(enact, add, post, now):
    enact(version="1.0", effective_from=dt.date(2020, 1, 1))
    checkpoint = add("aurora-1")
    post(0, 12, day=-10)
    enact(version="2.0", effective_from=dt.date(2026, 11, 20))
    LevelStatus.objects.filter(level__framework__version="2.0").delete()
    (covered,) = asked(now, checkpoint)
    assert covered.coverage.state == "never_run"
    assert "read under version 1.0" in detail(covered, "never_run")


def test_a_withdrawn_run_and_one_that_stopped_early_leave_a_level_unread(small, aurora, post, now):
    post(0, 12, day=-1, status="error")
    (covered,) = asked(now, aurora)
    assert (covered.coverage.state, detail(covered, "required_line")) == ("due", "Not yet read by a complete run: ctf@1.")
    post(0, 12, day=-1)
    assert states(now, aurora) == {"aurora-1": "fresh"}
    EvalRun.objects.update(invalidated=now, invalidated_reason="broken")
    assert states(now, aurora) == {"aurora-1": "due"}


def test_a_level_without_lines_rests_on_the_labs_determination(enact, aurora, ada, now):
    enact(levels=[{"thresholds": [], "checklist": []}])
    assert states(now, aurora) == {"aurora-1": "never_run"}
    stated = {"status": "below", "stated": day(-5), "source": "card", "note": ""}
    record_determination(checkpoint=aurora, level=CapabilityLevel.objects.get(), actor=ada.as_actor(), now=now, **stated)
    (covered,) = asked(now, aurora)
    assert (covered.coverage.state, covered.coverage.taken) == ("fresh", day(-5))


def test_what_inherits_is_compared_with_the_last_evaluated_of_its_family(rules, add, post, ada, now):
    rules({"trigger": "effective_compute", "multiple": 4}, {"trigger": "post_training", "months": 6})
    first = add("aurora-1", effective_compute=1e25, trained=day(-100))
    second = add("aurora-2", effective_compute=3e25, trained=day(-50))
    third = add("aurora-3", effective_compute=5e25, trained=day(-5))
    post(0, 12, day=-20)
    inherit(second, first, now, ada)
    inherit(third, first, now, ada)
    assert states(now) == {"aurora-1": "fresh", "aurora-2": "fresh", "aurora-3": "due"}
    assert "It has 5 times the effective compute of Aurora-1, evaluated last" in detail(asked(now, third)[0], "effective_compute")
    post(0, 12, checkpoint="aurora-2", day=-1)
    LevelStatus.objects.filter(checkpoint=second).update(valid_until=None)
    assert "It has 1.67 times the effective compute of Aurora-2" in detail(asked(now, third)[0], "effective_compute")


def test_a_reference_of_unknown_compute_or_of_another_family_is_no_ground_for_being_fresh(rules, add, post, ada, now):
    rules({"trigger": "effective_compute", "multiple": 4})
    first, second = add("aurora-1"), add("aurora-2", effective_compute=1e24)
    post(0, 12, day=-1)
    inherit(second, first, now, ada)
    assert "compute of Aurora-1 is not known" in detail(asked(now, second)[0], "effective_compute")
    other = add("borea-1", model="borea", effective_compute=1e24)
    FrontierModel.objects.filter(slug="borea").update(family="borea")
    heir = LevelStatus.objects.get(checkpoint=second)
    LevelStatus.objects.create(checkpoint=other, level=heir.level, taken=now, valid_until=heir.valid_until)
    other.model.refresh_from_db()
    assert "nothing to compare it with" in detail(asked(now, other)[0], "effective_compute")


def test_an_equivalence_that_is_over_counts_for_nothing(small, add, post, ada, now):
    first, second = add("aurora-1"), add("aurora-2")
    post(0, 12, day=-1)
    inherit(second, first, now, ada)
    assert states(now + dt.timedelta(46), second) == {"aurora-2": "due"}
    assert states(now + dt.timedelta(60), second) == {"aurora-2": "overdue"}
    Equivalence.objects.update(ended=now)
    (covered,) = asked(now, second)
    assert "ctf@1" in detail(covered, "required_line")


def test_what_was_first_read_after_its_release_stays_late_however_often_it_is_read_again(rules, add, post, now):
    rules({"trigger": "before_external"})
    late, early = add("aurora-1", released=day(-10)), add("aurora-2", released=day(-10))
    post(0, 12, day=-9)
    post(0, 12, day=-11, checkpoint="aurora-2")
    post(0, 12, day=-1, checkpoint="aurora-2")
    assert [each.coverage.late for each in asked(now, late, early)] == [True, False]


def test_what_is_inherited_counts_from_its_signature_not_from_the_run(rules, add, post, ada, now):
    rules({"trigger": "before_external"})
    first, second = add("aurora-1"), add("aurora-2", released=day(-10))
    post(0, 12, day=-20)
    inherit(second, first, now, ada)
    assert asked(now, second)[0].coverage.late is True


@pytest.mark.parametrize("case", [(-100, -10, "due"), (None, -10, "due"), (-100, None, "due"), (-10, -100, "fresh"), (-10, -10, "fresh")])
def test_a_jump_of_a_checkpoint_not_known_to_be_older_makes_a_level_due(rules, add, post, now, case):
    rules({"trigger": "capability_jump"})
    *trained, state = case
    for slug, number in zip(("aurora-1", "aurora-2"), trained, strict=True):
        add(slug, trained=number and day(number))
    post(0, 12, day=-9)
    post(1, 12, day=-5, checkpoint="aurora-2")
    assert states(now)["aurora-1"] == state


def test_a_jump_is_over_once_the_level_was_read_again(rules, add, post, now):
    rules({"trigger": "capability_jump"})
    add("aurora-1"), add("aurora-2")
    post(0, 12, day=-9)
    post(0, 12, day=-7, checkpoint="aurora-2")
    assert states(now) == {"aurora-1": "fresh", "aurora-2": "fresh"}
    post(2, 12, day=-5, checkpoint="aurora-2")
    assert states(now) == {"aurora-1": "due", "aurora-2": "fresh"}
    post(1, 12, day=-3)
    assert states(now) == {"aurora-1": "fresh", "aurora-2": "fresh"}


def test_where_less_is_more_capable_a_lower_score_is_the_jump(rules, add, post, now):
    line = {"kind": "alert", "evaluation": "ctf@1", "value": 0.2, "comparator": "<=", "policy": "point", "source": "the tests"}
    rules({"trigger": "capability_jump"}, evaluations=[{"direction": "lower"}], levels=[{"thresholds": [line]}])
    add("aurora-1"), add("aurora-2")
    post(12, 12, day=-9)
    post(11, 12, day=-5, checkpoint="aurora-2")
    assert states(now)["aurora-1"] == "due"


def test_a_rule_holds_for_the_levels_it_names(rules, add, post, now):
    rules({"trigger": "calendar", "days": 5, "levels": ["autonomy"]}, levels=[{"slug": "uplift"}, {"slug": "autonomy"}])
    add("aurora-1")
    post(0, 12, day=-10)
    assert {each.level.slug: each.coverage.state for each in asked(now)} == {"uplift": "fresh", "autonomy": "overdue"}


def test_three_checkpoints_and_levels_cost_as_many_queries_as_one(rules, add, post, now):
    def queries():
        with CaptureQueriesContext(connection) as captured:
            asked(now)
        return len(captured)

    cadence = [{"trigger": "capability_jump"}, {"trigger": "before_external"}]
    rules(*cadence)
    add("aurora-1")
    post(0, 12)
    one = queries()
    rules(*cadence, slug="second", levels=[{"slug": "uplift"}, {"slug": "autonomy"}])
    add("aurora-2"), add("borea-1", model="borea")
    for slug in ("aurora-1", "aurora-2", "borea-1"):
        post(0, 12, checkpoint=slug)
    assert (queries(), len(asked(now))) == (one, 9)
    assert one <= 9


# Without a database.


def at(hour):
    return NOON.replace(hour=hour)


@pytest.mark.parametrize(
    ("lines", "first", "found"),
    [
        ([ONE, OTHER], {"a@1": at(1), "b@1": at(2)}, (at(2), ())),
        ([ONE, replace(ONE, kind="critical")], {"a@1": at(1)}, (at(1), ())),
        ([ONE, OTHER], {"a@1": at(1)}, (None, ("b@1",))),
        ([ONE, OTHER], {}, (None, ("a@1", "b@1"))),
        (ALTERNATIVES, {"b@1": at(2)}, (at(2), ())),
        (ALTERNATIVES, {}, (None, ("a@1 or b@1",))),
        ([ONE, OPTIONAL[1]], {"a@1": at(1)}, (at(1), ())),
        (OPTIONAL, {"b@1": at(2)}, (at(2), ())),
        (OPTIONAL, {}, (None, ("a@1 or b@1",))),
        ([], {}, (None, ())),
    ],
)
def test_a_level_is_wholly_read_once_every_required_line_is(lines, first, found):
    assert wholly_read(lines, first) == found


def test_a_jump_stands_above_every_score_of_its_series_before_it():
    scores = [
        Score(number, "ctf", "ctf@1", at(hour), height) for number, hour, height in [(1, 1, 0.5), (2, 3, 0.4), (3, 2, 0.6), (4, 4, 0.6)]
    ]
    apart = [Score(5, "bio", "bio@1", at(1), 0.9), Score(6, "bio", "bio@1", at(2), 0.9)]
    assert [score.checkpoint for score in jumps([*scores, *apart])] == [3]


def reasons(now, trigger):
    return [(reason.state, reason.detail) for each in asked(now) for reason in each.coverage.reasons if reason.trigger == trigger]


def test_a_newer_attempt_that_was_lost_makes_a_fresh_level_due(add, rules, post, now, ada):
    rules()
    add("aurora-1")
    post(0, 500, day=-3)
    assert (states(now), reasons(now, "lost_run")) == ({"aurora-1": "fresh"}, [])
    lost = post(status="lost", day=-1)
    told = f"The newest attempt at ctf@1, {lost['ref']}, was lost on 21 Nov 2026, and nothing has made up for it."
    assert (states(now), reasons(now, "lost_run")) == ({"aurora-1": "due"}, [("due", told)])
    assert states(now + dt.timedelta(days=14)) == {"aurora-1": "overdue"}
    post(0, 500, day=0)
    assert (states(now), reasons(now, "lost_run")) == ({"aurora-1": "fresh"}, [])


def test_a_loss_on_an_evaluation_that_the_level_is_not_read_by_asks_for_nothing(add, enact, post, now, ada):
    enact(evaluations=[{}, {"slug": "other"}])
    add("aurora-1")
    post(0, 500, day=-3)
    post(status="lost", day=-1, evaluation="other@1")
    assert reasons(now, "lost_run") == []
