import datetime as dt

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.roles import SYSTEM
from evals.catalogue import register_checkpoint
from evals.models import EvalRun
from thresholds.explained import explained, facts_of
from thresholds.models import Assessment, Equivalence, LevelStatus

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("aurora")]
TWO = [
    {"kind": "alert", "evaluation": "ctf@1", "value": 0.2, "policy": "precautionary", "source": "the tests"},
    {"kind": "alert", "evaluation": "web@1", "value": 0.2, "policy": "precautionary", "source": "the tests"},
]


def newest():
    return Assessment.objects.latest("pk")


def told(assessment):
    return {step.slug: step.text for step in explained(assessment).steps}


def test_a_stored_assessment_explains_itself(small, post):
    post(3, 12)
    explanation = explained(newest())
    assert [step.slug for step in explanation.steps] == [
        *("counted", "bounded", "line-alert", "line-critical", "qualified", "level", "change")
    ]
    assert explanation.paragraph.startswith("Aurora 1 stands at alert at Cyber uplift (Small framework 1.0). 3 of 12 tasks solved (25 %, ")
    assert f"on ctf@1 (R-{newest().run_id}): the alert line (>= 20 %) is reached" in explanation.paragraph


def test_who_attests_it_and_that_nobody_does_are_said(small, post):
    post(0, 100)
    assert "attested by Ben" in told(newest())["qualified"]
    post(0, 100, elicitation={})
    assert "Nobody attests the elicitation" in told(newest())["qualified"]
    assert newest().state == "inconclusive"


def test_a_line_that_was_set_after_the_result_is_said_to_be(small, post):
    post(0, 100, day=-3)
    assert "The line was set after the result." in told(newest())["qualified"]


def test_what_the_level_still_needs_is_told_as_it_was_at_the_time(enact, post):
    enact(levels=[{"thresholds": TWO}], evaluations=[{}, {"slug": "web"}])
    post(0, 100)
    first = newest()
    post(0, 100, evaluation="web@1")
    assert facts_of(first).missing == ("web@1",)
    assert "Not yet read by a complete run: web@1." in told(first)["level"]
    assert facts_of(newest()).missing == ()
    assert facts_of(newest()).others == {"ctf@1": "clear"}


def test_a_held_state_is_told_apart_from_the_evidence(small, post):
    post(30, 100, day=-9)
    for day in range(-8, -2):
        post(0, 500, day=day)
    assert (facts_of(newest()).evidence, facts_of(newest()).held) == ("clear", True)
    assert "stands until a named person signs it down" in told(newest())["level"]


def test_all_runs_together_are_told_where_an_earlier_one_did_not_rule_the_line_out(small, post):
    post(15, 100, day=-9)
    post(10, 100, day=-8)
    assert "2 looks together" in told(newest())["level"]


def test_an_inherited_result_names_the_checkpoint_it_came_from(small, post, aurora, ada, now):
    heir = register_checkpoint(model=aurora.model, fields={"slug": "aurora-2", "name": "Aurora 2"}, actor=SYSTEM, now=now)
    signed = {"limits": "none", "reason": "a quantised copy", "signed_by": ada, "at": now, "expires": now + dt.timedelta(days=30)}
    Equivalence.objects.create(checkpoint=heir, source=aurora, **signed)
    post(0, 100)
    inherited = Assessment.objects.get(checkpoint=heir)
    assert "Inherited from Aurora 1 by a signed equivalence." in explained(inherited).paragraph


def test_what_was_found_out_later_does_not_change_what_was_said(small, post):
    post(0, 100)
    before, evaluation = explained(newest()), EvalRun.objects.get().evaluation
    evaluation.validity = [{"flag": "saturated", "reason": "all solved", "source": "s", "by": "Ada", "at": "2026-01-01"}]
    evaluation.save()
    assert explained(newest()) == before


def test_an_assessment_without_a_status_row_explains_itself_all_the_same(small, post):
    post(0, 100)
    LevelStatus.objects.all().delete()
    assert "stands at clear" in explained(newest()).paragraph


def test_a_run_without_a_measurement_explains_itself(small, post):
    post(status="error")
    assert "Nothing was scored" in told(newest())["counted"]
    post(measurements=[{"metric": "solved", "reason": "the grader broke"}])
    assert "No usable uncertainty came with the value." in told(newest())["bounded"]


def test_an_explanation_costs_the_same_whatever_was_read_before(small, post):
    def queries(pk):
        assessment = Assessment.objects.get(pk=pk)
        with CaptureQueriesContext(connection) as captured:
            explained(assessment)
        return len(captured)

    post(0, 100, day=-9)
    post(0, 100, day=-8)
    first = Assessment.objects.earliest("pk").pk
    few = queries(first), queries(newest().pk)
    for day in range(-7, -1):
        post(0, 100, day=day)
    assert (queries(first), queries(newest().pk)) == few


def test_what_was_pooled_is_told_of_the_newest_complete_reading_only(small, post):
    post(30, 100, day=-2)
    post(1, 100, day=-1)
    status = LevelStatus.objects.get()
    slots = status.readings["ctf@1"]
    assert "alert" in facts_of(newest()).pooled
    status.readings = {"ctf@1": {"against critical": slots["complete"]}}
    status.save()
    assert facts_of(newest()).pooled == {}
