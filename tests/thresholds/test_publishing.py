import datetime as dt

import msgspec
import pytest
from django.db import IntegrityError, transaction

from accounts.roles import SYSTEM, NotAllowed, Role
from audit.models import Entry
from tests.conftest import NIGHTLY, person, small_file
from thresholds import library
from thresholds.models import Assessment, Crossing, Framework, LevelStatus
from thresholds.publishing import NotPublishable, come_into_force, publish, publish_library, reread
from thresholds.reported import record_determination

pytestmark = pytest.mark.django_db


@pytest.fixture
def draft(ben, now):
    def draft(version="2.0", *, alert=None, author=ben, policy="precautionary", level=None, suite="ctf", **about):
        plain = msgspec.to_builtins(small_file())
        plain["framework"].update(**{"version": version, "effective_from": "2021-01-01", **about})
        plain["levels"][0]["thresholds"][0]["policy"] = policy
        plain["levels"][0].update(level or {})
        plain["evaluations"][0]["slug"] = suite
        for line in plain["levels"][0]["thresholds"]:
            line["evaluation"] = f"{suite}@1"
        if alert:
            plain["levels"][0]["thresholds"][0]["value"] = alert
        return library.load(content=msgspec.convert(plain, library.FrameworkFile), actor=SYSTEM, author=author, now=now)[0]

    return draft


def approve(framework, who, now, reason="The set grew."):
    return publish(framework_id=framework.pk, reviewed=framework.digest, approver=who.as_actor(), reason=reason, now=now)


@pytest.mark.usefixtures("aurora")
def test_a_draft_judges_nothing_until_another_person_approves_it(draft, post, ada, ben, now):
    framework = draft("1.0")
    assert post(30, 100)["verdicts"] == []
    published = approve(framework, ada, now)
    assert (published.state, published.author, published.approver, published.published) == ("published", ben, ada, now)
    assert {verdict["level"] for verdict in post(30, 100)["verdicts"]} == {"small-1.0.uplift"}
    assert Entry.objects.filter(action="thresholds.framework.publish", about="framework:small-1.0").count() == 1


def test_nobody_approves_what_they_wrote(draft, ada, now):
    with pytest.raises(NotAllowed, match="another person must approve"):
        approve(draft(author=ada), ada, now)


@pytest.mark.parametrize("digits", [0, 11])
def test_what_was_reviewed_is_named_by_twelve_digits_of_its_digest_at_least(draft, ada, now, digits):
    framework = draft()
    with pytest.raises(NotPublishable, match="not what was reviewed"):
        publish(framework_id=framework.pk, reviewed=framework.digest[:digits], approver=ada.as_actor(), reason="x", now=now)
    publish(framework_id=framework.pk, reviewed=framework.digest[:12], approver=ada.as_actor(), reason="x", now=now)


def test_a_draft_that_was_loaded_anew_since_it_was_read_is_not_published(draft, ada, now):
    read = draft().digest
    changed = draft(alert=0.9)
    with pytest.raises(NotPublishable, match="Read it as it is now"):
        publish(framework_id=changed.pk, reviewed=read, approver=ada.as_actor(), reason="x", now=now)
    assert Framework.objects.get().state == "draft"


@pytest.mark.parametrize("who", [SYSTEM, NIGHTLY, Role.EVAL_ENGINEER, Role.AUDITOR, Role.MEMBER])
def test_only_a_safety_lead_approves(draft, now, who):
    actor = person("kim", who).as_actor() if isinstance(who, Role) else who
    with pytest.raises(NotAllowed):
        publish(framework_id=draft().pk, reviewed="", approver=actor, reason="x", now=now)
    assert Framework.objects.get().state == "draft"


def test_a_draft_without_an_author_cannot_be_published(draft, ada, now):
    with pytest.raises(NotPublishable, match="--author"):
        approve(draft(author=None), ada, now)


def test_a_changed_line_needs_its_reason(small, draft, ada, now):
    with pytest.raises(NotPublishable, match="say why its lines were changed"):
        approve(draft(alert=0.3), ada, now, reason=" ")
    assert approve(draft(alert=0.3), ada, now).supersedes == small


def test_a_successor_comes_into_force_no_earlier_than_what_it_supersedes(small, draft, ada, now):
    with pytest.raises(NotPublishable, match="give it a later day"):
        approve(draft(alert=0.3, effective_from="2019-01-01", supersedes="1.0", reason="x"), ada, now)


def test_what_is_published_is_published_once(small, ada, now):
    with pytest.raises(NotPublishable, match="needs a new version"):
        approve(small, ada, now)


def test_only_what_ships_with_the_product_is_published_without_people(draft, now):
    with pytest.raises(NotPublishable, match="two people"):
        publish_library(framework=draft(), now=now)


def test_the_database_holds_publishing_to_two_people(draft, ben, now):
    framework = draft()
    with pytest.raises(IntegrityError), transaction.atomic():
        Framework.objects.filter(pk=framework.pk).update(state="published", published=now, approver=ben)


@pytest.mark.usefixtures("small", "aurora")
def test_a_line_that_moves_up_never_looks_like_an_improvement(draft, post, ada, now):
    post(30, 100, day=-9)
    approve(draft(alert=0.45), ada, now)
    row = LevelStatus.objects.get(level__framework__version="2.0")
    told = Assessment.objects.get(level__framework__version="2.0")
    assert (row.state, row.reading_state, row.moved_from) == ("alert", "clear", "alert")
    assert (told.set_after, told.state_before, told.moved) == (True, "alert", row.moved)
    assert "Definition moved since the version before (alert line on ctf@1 0.2 -> 0.45)" in told.message
    assert "The line was set after the result." in told.message
    assert list(Crossing.objects.order_by("pk").values_list("level__framework__version", "kind")) == [("1.0", "alert"), ("2.0", "alert")]


@pytest.mark.usefixtures("small", "aurora")
def test_a_line_that_stays_but_is_judged_more_laxly_has_moved(draft, post, ada, now):
    post(30, 100, day=-9)
    approve(draft(policy="confirmed"), ada, now)
    row = LevelStatus.objects.get(level__framework__version="2.0")
    assert row.moved == [{"evaluation": "ctf@1", "kind": "alert", "before": 0.2, "after": 0.2, "changed": ["policy"]}]
    assert (row.state, "0.2 -> 0.2, policy changed" in row.message) == ("alert", True)


@pytest.mark.usefixtures("small", "aurora")
def test_a_line_that_moves_down_is_reached_by_what_was_measured(draft, post, ada, now):
    post(10, 100, day=-9)
    assert not Crossing.objects.exists()
    approve(draft(alert=0.05), ada, now)
    assert Crossing.objects.get().level.key == "small-2.0.uplift"
    assert LevelStatus.objects.get(level__framework__version="2.0").moved_from == "clear"


def test_a_run_that_started_after_the_line_was_published_is_not_marked(small, aurora, post, now):
    post(10, 100, started=now.isoformat(), completed=now.isoformat())
    post(10, 100, day=-9)
    assert list(Assessment.objects.order_by("pk").values_list("set_after", flat=True)) == [False, True]


@pytest.mark.usefixtures("small", "aurora")
def test_a_version_whose_day_has_not_come_reads_nothing_until_then(draft, post, ada, now):
    post(10, 100, day=-9)
    framework = approve(draft(alert=0.05, effective_from=(now + dt.timedelta(days=3)).date().isoformat()), ada, now)
    assert (come_into_force(now=now), Crossing.objects.count()) == ([], 0)
    later = now + dt.timedelta(days=4)
    assert come_into_force(now=later) == [framework.pk]
    assert (reread(framework=framework, now=later), Crossing.objects.count()) == (1, 1)
    assert come_into_force(now=later) == []


@pytest.mark.usefixtures("small", "aurora")
def test_reading_again_changes_nothing(draft, post, ada, now):
    post(10, 100, day=-9)
    framework = approve(draft(alert=0.05), ada, now)
    before = list(Assessment.objects.values())
    assert (reread(framework=framework, now=now), list(Assessment.objects.values())) == (0, before)


@pytest.mark.usefixtures("small", "aurora")
def test_a_result_that_comes_late_is_read_by_the_version_that_came_into_force_after_it_too(draft, post, ada, now):
    post(1, 500, day=-9)
    approve(draft(alert=0.05, effective_from=(now - dt.timedelta(days=2)).date().isoformat()), ada, now)
    post(10, 100, day=-8)
    assert dict(LevelStatus.objects.values_list("level__framework__version", "state")) == {"1.0": "clear", "2.0": "alert"}
    assert Crossing.objects.get().level.key == "small-2.0.uplift"


@pytest.mark.usefixtures("small", "aurora")
def test_what_was_reached_is_carried_over_though_no_result_is_read_by_the_new_lines(draft, post, ada, now):
    post(30, 100, day=-9)
    approve(draft(suite="range"), ada, now)
    row = LevelStatus.objects.get(level__framework__version="2.0")
    assert (row.state, row.reading_state, row.moved_from, len(row.moved)) == ("alert", "no_result", "alert", 4)
    assert "a change of state is no improvement" in row.message


@pytest.mark.usefixtures("small")
def test_what_is_reached_before_its_day_is_carried_over_into_a_row_that_was_there(aurora, draft, post, ada, now):
    post(10, 100, day=-9)
    framework = approve(draft(alert=0.45, effective_from=(now + dt.timedelta(days=3)).date().isoformat()), ada, now)
    stated = {"status": "below", "stated": now.date(), "source": "x", "note": "", "actor": SYSTEM, "now": now}
    record_determination(checkpoint=aurora, level=framework.levels.get(), **stated)
    post(30, 100, day=-1)
    reread(framework=framework, now=now + dt.timedelta(days=4))
    row = LevelStatus.objects.get(level__framework=framework)
    assert (row.state, row.reading_state, row.reported) == ("alert", "clear", "below")


@pytest.mark.usefixtures("small", "aurora")
def test_a_level_that_more_evaluations_must_reach_has_moved(draft, post, ada, now):
    post(30, 100, day=-9)
    approve(draft(level={"combine": {"rule": "all"}}), ada, now)
    assert {tuple(each["changed"]) for each in LevelStatus.objects.get(level__framework__version="2.0").moved} == {("combine",)}
