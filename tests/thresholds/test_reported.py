import datetime as dt

import pytest

from accounts.roles import SYSTEM, NotAllowed, Refused
from audit.models import Entry
from tests.conftest import NIGHTLY
from thresholds.models import STATES, Crossing, Determination, LevelStatus
from thresholds.reported import MEANS, REACHED, UnknownStatus, differs, record_determination

DAY = dt.date(2025, 5, 1)


@pytest.fixture
def report(small, aurora, now):
    def report(status="below", *, stated=DAY, actor=NIGHTLY, source="model card", note=""):
        facts = {"checkpoint": aurora, "level": small.levels.get(), "status": status, "stated": stated, "source": source, "note": note}
        return record_determination(**facts, actor=actor, now=now)

    return report


def shown():
    row = LevelStatus.objects.get()
    return row.state, row.reported, row.reported_on, row.differs


SAME = {
    "below": {"clear", "watch"},
    "inherited_below": {"clear", "watch"},
    "below_ccl": {"clear", "watch", "inconclusive", "alert"},
    "alert": {"alert"},
    "alert_ccl_undetermined": {"alert"},
    "threshold_crossed": {"alert", "critical"},
    "high_reached": {"alert", "critical"},
    "critical": {"critical"},
}


@pytest.mark.parametrize("state", STATES[1:])
@pytest.mark.parametrize("status", Determination.STATUSES)
def test_a_report_and_a_state_differ_where_they_do_not_mean_the_same(status, state):
    assert differs(status, state) is (state not in SAME[status])


@pytest.mark.parametrize(("status", "state"), [("", "critical"), ("critical", "no_result"), ("", "no_result")])
def test_nothing_reported_or_nothing_read_is_no_difference(status, state):
    assert differs(status, state) is False


def test_every_status_has_a_meaning_and_a_reached_one_never_means_clear():
    assert set(MEANS) == set(Determination.STATUSES)
    assert not any(MEANS[status] & {"clear", "watch"} for status in REACHED)


@pytest.mark.django_db
class TestRecording:
    def test_a_report_is_kept_beside_the_reading(self, report, now):
        row, stored = report("alert", note="an early warning")
        assert (stored, row.status, row.stated, row.source, row.note) == (True, "alert", DAY, "model card", "an early warning")
        assert (row.recorded, row.recorded_by) == (now, "service:nightly")
        assert shown() == ("no_result", "alert", DAY, False)

    def test_a_report_never_changes_the_state_and_opens_nothing(self, report, post):
        post(0, 500)
        report("critical")
        assert shown() == ("clear", "critical", DAY, True)
        assert not Crossing.objects.exists()

    def test_a_lab_that_says_below_does_not_lower_what_was_reached(self, report, post):
        post(30, 100)
        report("below")
        assert shown() == ("alert", "below", DAY, True)

    def test_the_mark_follows_the_readings(self, report, post):
        report("alert")
        post(0, 500)
        assert shown()[3] is True
        post(30, 100)
        assert shown()[3] is False

    def test_the_newest_report_is_shown_whatever_the_order(self, report):
        report("alert", stated=DAY + dt.timedelta(days=9))
        report("below", stated=DAY)
        assert shown() == ("no_result", "alert", DAY + dt.timedelta(days=9), False)
        assert Determination.objects.count() == 2

    def test_the_same_report_again_changes_nothing(self, report):
        first, _ = report()
        entries = Entry.objects.count()
        assert report() == (first, False)
        assert (Determination.objects.count(), Entry.objects.count()) == (1, entries)

    def test_a_report_is_audited(self, report):
        report("alert")
        entry = Entry.objects.get(action="thresholds.determination.record")
        assert (entry.about, entry.data["status"], entry.data["stated"]) == ("checkpoint:aurora-1", "alert", "2025-05-01")

    @pytest.mark.parametrize(
        ("more", "refusal"),
        [
            ({"status": "fine"}, UnknownStatus),
            ({"status": ""}, UnknownStatus),
            ({"source": "  "}, Refused),
            ({"stated": dt.date(2999, 1, 1)}, Refused),
        ],
    )
    def test_what_is_no_report_is_refused(self, report, more, refusal):
        with pytest.raises(refusal):
            report(**more)
        assert not Determination.objects.exists()
        assert not LevelStatus.objects.exists()

    @pytest.mark.parametrize(("who", "may"), [("ada", True), ("ben", False), ("cleo", False), ("dan", False)])
    def test_of_people_only_a_safety_lead_records_a_report(self, report, request, who, may):
        actor = request.getfixturevalue(who).as_actor()
        if may:
            assert report(actor=actor)[1]
        else:
            with pytest.raises(NotAllowed):
                report(actor=actor)

    def test_the_product_itself_may_record_one(self, report):
        assert report(actor=SYSTEM)[0].recorded_by == "system:system"
