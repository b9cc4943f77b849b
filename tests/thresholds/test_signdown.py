import datetime as dt

import pytest
from django.db import DatabaseError, transaction

from accounts.roles import SYSTEM, NotAllowed, Refused
from audit.models import Entry
from tests.conftest import NIGHTLY, on_postgres
from thresholds.models import Crossing, LevelStatus, SignDown
from thresholds.signdown import NothingToSignDown, sign_down

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("small", "aurora")]


@pytest.fixture
def lower(ada, now):
    def lower(who=ada, reason="The grader was broken, see the report.", at=now):
        actor = who if who in {SYSTEM, NIGHTLY} else who.as_actor()
        return sign_down(status_id=LevelStatus.objects.get().pk, reason=reason, actor=actor, now=at)

    return lower


def shown():
    row = LevelStatus.objects.get()
    return row.state, row.reading_state, row.episode


@pytest.fixture
def latched(post):
    """An alert that later and complete evidence rules out."""
    post(30, 100, day=-3)
    post(0, 500, day=-2)


def test_a_reached_state_is_lowered_by_a_signature_to_what_the_evidence_says(latched, lower, ada, now):
    signed = lower()
    row = LevelStatus.objects.get()
    assert shown() == ("clear", "clear", 2)
    assert (row.since, row.latched) == (now, False)
    assert (signed.state_before, signed.state, signed.episode, signed.signed_by, signed.at) == ("alert", "clear", 1, ada, now)


def test_a_look_that_only_the_version_after_read_counts_against_a_signature(enact, post, ada, now):
    enact(version="2.0", effective_from=(now - dt.timedelta(days=5)).date().isoformat())
    post(0, 300, day=-9)
    post(42, 100, day=-20)
    old = LevelStatus.objects.get()
    assert (old.state, old.reading_state) == ("alert", "clear")
    post(60, 100, day=-1)
    with pytest.raises(NothingToSignDown, match=r"the evidence says watch.* 3 looks together"):
        sign_down(status_id=old.pk, reason="The grader was broken.", actor=ada.as_actor(), now=now)


def test_a_signature_is_audited_with_its_reason(latched, lower):
    lower(reason="  Grader fault. ")
    entry = Entry.objects.get(action="thresholds.status.sign_down")
    evidence = entry.data.pop("evidence")
    assert {kind: (each["clears"], each["looks"], each["paid_by"]) for kind, each in evidence["ctf@1"].items()} == {
        "alert": (True, 2, "e-process"),
        "critical": (True, 2, "e-process"),
    }
    assert SignDown.objects.get().evidence == evidence
    assert entry.data == {
        "level": "small-1.0.uplift",
        "checkpoint": "aurora-1",
        "from": "alert",
        "to": "clear",
        "reason": "Grader fault.",
    }
    assert (entry.actor_kind, entry.actor) == ("person", "Ada Safety")


@pytest.mark.parametrize("reason", ["", "   ", "\n"])
def test_a_signature_without_a_reason_is_none(latched, lower, reason):
    with pytest.raises(Refused, match="Say why"):
        lower(reason=reason)
    assert shown()[0] == "alert"


@pytest.mark.parametrize("who", ["ben", "cleo", "dan", None, SYSTEM])
def test_nobody_but_a_safety_lead_lowers_a_state(latched, lower, request, who):
    actor = request.getfixturevalue(who) if isinstance(who, str) else who or NIGHTLY
    with pytest.raises(NotAllowed):
        lower(actor)
    assert (shown(), SignDown.objects.count()) == (("alert", "clear", 1), 0)


@pytest.mark.parametrize(
    ("counts", "more"),
    [
        ((30, 100), {}),
        ((25, 100), {}),
        ((0, 3), {}),
        ((0, 500), {"status": "cancelled"}),
        ((0, 500), {"coverage": {"limit_hit": 1}}),
        ((), {"status": "error"}),
    ],
)
def test_a_state_is_not_lowered_before_complete_evidence_rules_the_line_out(post, lower, counts, more):
    post(30, 100, day=-3)
    post(*counts, day=-2, **more)
    with pytest.raises(NothingToSignDown, match="all complete evidence together rules the line out"):
        lower()
    assert (shown()[0], SignDown.objects.count()) == ("alert", 0)


def test_one_clean_run_after_a_reached_line_is_too_little(post, lower):
    post(30, 100, day=-3)
    post(10, 100, day=-2)
    with pytest.raises(NothingToSignDown, match=r"2 looks together: 20 of 100 tasks, e-value .* does not rule the alert line out"):
        lower()
    assert shown() == ("alert", "watch", 1)


def test_looks_that_were_declared_beforehand_are_paid_for_by_a_stricter_bound(enact, aurora, post, ada, now):
    enact(version="3.0", evaluations=[{"version": "2", "looks": 2}], levels=[{"thresholds": [LINE]}])
    post(14, 100, day=-3, evaluation="ctf@2")
    post(4, 100, day=-2, evaluation="ctf@2")
    status = LevelStatus.objects.get()
    assert (status.state, status.reading_state) == ("alert", "clear")
    signed = sign_down(status_id=status.pk, reason="Both looks together.", actor=ada.as_actor(), now=now)
    assert [(each["paid_by"], each["looks"]) for each in signed.evidence["ctf@2"].values()] == [("alpha/K", 2)]


def test_a_third_look_where_two_were_declared_is_not_paid_for_by_them(enact, aurora, post):
    enact(version="3.0", evaluations=[{"version": "2", "looks": 2}], levels=[{"thresholds": [LINE]}])
    for day, solved in ((-4, 14), (-3, 14), (-2, 8)):
        post(solved, 100, day=day, evaluation="ctf@2")
    assert LevelStatus.objects.get().reading_state == "watch"


def test_what_nobody_attests_helps_no_line_to_be_ruled_out(post, lower):
    post(30, 100, day=-9)
    post(0, 900, day=-8, elicitation={})
    post(10, 100, day=-7)
    with pytest.raises(NothingToSignDown):
        lower()
    assert shown()[:2] == ("alert", "watch")


def test_tasks_under_new_names_are_no_new_evidence(enact, aurora, post):
    enact(version="3.0", evaluations=[{"version": "2", "n_tasks": 60}], levels=[{"thresholds": [LINE]}])
    for day, name, solved in ((-9, "a", 8), (-8, "b", 6), (-7, "c", 6), (-6, "d", 6), (-5, "e", 6)):
        tasks = [{"id": f"{name}{number}", "solved": int(number < solved)} for number in range(60)]
        post(day=day, evaluation="ctf@2", measurements=[{"metric": "solved", "tasks": tasks}])
    assert LevelStatus.objects.get().reading_state == "watch"


def test_a_run_cut_short_after_it_reached_the_line_is_not_forgotten(post, lower):
    post(9, 10, day=-3, status="cancelled", coverage={"planned": 100, "completed": 10, "scored": 10})
    post(8, 100, day=-2)
    with pytest.raises(NothingToSignDown):
        lower()
    assert shown()[:2] == ("critical", "watch")


LINE = {"kind": "alert", "evaluation": "ctf@2", "value": 0.2, "policy": "precautionary", "source": "the tests"}


def test_without_any_evidence_left_nothing_is_lowered(post, lower):
    first = post(30, 100, external_id="x")
    post(external_id="x", status="started", supersedes=first["id"])
    with pytest.raises(NothingToSignDown):
        lower()
    assert shown()[:2] == ("alert", "no_result")


def test_what_was_never_reached_cannot_be_signed_down(post, lower):
    post(0, 12)
    with pytest.raises(NothingToSignDown):
        lower()


def test_signing_twice_lowers_once(latched, lower):
    lower()
    with pytest.raises(NothingToSignDown):
        lower()
    assert (shown()[2], SignDown.objects.count()) == (2, 1)


def test_a_critical_state_goes_down_in_one_step(post, lower):
    post(30, 100, day=-4)
    post(60, 100, day=-3)
    post(0, 500, day=-2)
    assert lower().state_before == "critical"
    assert shown() == ("clear", "clear", 2)


def test_a_line_reached_again_is_a_crossing_of_the_next_episode(latched, lower, post):
    lower()
    post(30, 100, day=-1)
    assert list(Crossing.objects.order_by("pk").values_list("kind", "episode")) == [("alert", 1), ("alert", 2)]
    assert shown()[0] == "alert"


def test_the_mark_beside_a_report_follows_the_signature(latched, lower):
    LevelStatus.objects.update(reported="alert", reported_on=dt.date(2026, 1, 1))
    lower()
    assert LevelStatus.objects.get().differs is True


def test_the_database_refuses_a_signature_without_a_reason(latched, lower):
    signed = lower()
    signed.pk, signed.reason = None, ""
    with pytest.raises(DatabaseError), transaction.atomic():
        signed.save(force_insert=True)


@on_postgres
@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_signing_down_while_results_arrive_neither_deadlocks_nor_loses_a_crossing(pipeline, ada, at_once, lower, post):
    post(30, 100, day=-3)
    post(0, 500, day=-2)

    def act(number):
        return lower() if number % 4 == 0 else pipeline.run(30, 100, external_id=str(100 + number)).status_code

    said = at_once(act, range(16))
    assert all(isinstance(each, (SignDown, NothingToSignDown)) or each == 201 for each in said)
    episodes = [each.episode for each in said if isinstance(each, SignDown)]
    row = LevelStatus.objects.get()
    assert (row.state, row.episode) == ("alert", 1 + len(episodes))
    assert Crossing.objects.count() == row.episode
