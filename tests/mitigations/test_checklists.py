import datetime as dt
from dataclasses import dataclass
from itertools import permutations

import pytest
from django.db import DatabaseError, connection, transaction

from accounts.models import User
from accounts.roles import SYSTEM, NotAllowed, Refused
from audit import log
from audit.models import Entry
from mitigations.checklists import (
    EvidenceMissing,
    SameHand,
    assign_owner,
    attach_evidence,
    extend,
    freeze,
    readiness_of,
    sign_off,
)
from mitigations.models import ChecklistItem, Evidence, Mitigation, SignOff
from tests.conftest import NIGHTLY, on_postgres

pytestmark = pytest.mark.django_db
MINUTE = dt.timedelta(minutes=1)


@pytest.fixture
def plan(small, aurora, now):
    return lambda kind: freeze(model_id=aurora.model_id, level=small.levels.get(), kind=kind, now=now)


@dataclass
class Desk:
    """One item of an alert's plan, and what people do to it; `after` counts minutes."""

    item: ChecklistItem
    now: dt.datetime
    ada: User
    ben: User
    cleo: User
    dan: User

    def attach(self, who, after=0, summary="Recall 0.95."):
        facts = {"summary": summary, "link": "", "sha256": ""}
        return attach_evidence(item_id=self.item.pk, **facts, actor=getattr(self, who).as_actor(), now=self.now + after * MINUTE)

    def sign(self, who, after=0):
        return sign_off(item_id=self.item.pk, note="Read it.", actor=getattr(self, who).as_actor(), now=self.now + after * MINUTE)

    def own(self, who, by):
        return assign_owner(item_id=self.item.pk, owner_id=getattr(self, who).pk, actor=getattr(self, by).as_actor(), now=self.now)

    def readiness(self):
        return readiness_of(self.item.checklist_id, self.now)


@pytest.fixture
def desk(plan, request, now):
    people = {name: request.getfixturevalue(name) for name in ("ada", "ben", "cleo", "dan")}
    return Desk(plan("alert").items.get(), now, **people)


@pytest.mark.parametrize(("kind", "held"), [("alert", ["classifier"]), ("critical", ["classifier", "weights"])])
def test_a_plan_holds_what_was_agreed_for_the_kind_of_crossing(plan, now, kind, held):
    items = plan(kind).items.all()
    assert [item.slug for item in items] == held
    assert (items[0].what, items[0].kind, items[0].why) == ("Misuse classifier", "deployment", "Stops misuse.")
    assert (items[0].evidence_asked, items[0].due) == ("Recall at a fixed rate.", now.date() + dt.timedelta(days=7))


def test_a_frozen_plan_does_not_follow_later_changes_of_what_was_agreed(plan, small):
    frozen = plan("alert")
    Mitigation.objects.update(what="Something else", days=900)
    assert (frozen.items.get().what, frozen.framework_digest) == ("Misuse classifier", small.digest)


def test_extending_adds_what_is_missing_once(plan, now):
    frozen = plan("alert")
    later = now + dt.timedelta(days=10)
    assert [item.slug for item in extend(checklist=frozen, kind="critical", now=later)] == ["weights"]
    assert extend(checklist=frozen, kind="critical", now=later) == extend(checklist=frozen, kind="alert", now=later) == []
    assert [item.due for item in frozen.items.all()] == [now.date() + dt.timedelta(days=7), later.date() + dt.timedelta(days=30)]


def test_an_item_is_ready_only_with_evidence_and_a_second_persons_signature(desk, now):
    states = [desk.readiness().items[0].state]
    desk.attach("ben")
    states.append(desk.readiness().items[0].state)
    desk.sign("ada")
    states.append(desk.readiness().items[0].state)
    assert states == ["not_started", "in_progress", "ready"]
    assert desk.readiness().ready


def test_nothing_is_signed_off_without_evidence(desk):
    with pytest.raises(EvidenceMissing, match="'Misuse classifier' has no evidence yet"):
        desk.sign("ada")


def test_who_attached_the_evidence_does_not_sign_it_off(desk):
    desk.attach("ada")
    with pytest.raises(SameHand, match="Ada Safety did 'Misuse classifier'"):
        desk.sign("ada")


def test_whoever_attached_any_of_the_evidence_does_not_sign_it_off(desk, now):
    desk.attach("ada")
    desk.attach("ben", 1)
    for who in ("ada", "ben"):
        with pytest.raises(SameHand):
            desk.sign(who)


def test_the_owner_does_not_sign_off_what_another_attached(desk):
    desk.own("ben", "ada")
    desk.attach("dan")
    with pytest.raises(SameHand):
        desk.sign("ben")
    assert desk.sign("ada").done_by == desk.dan


def test_a_promotion_in_between_changes_nothing(desk):
    desk.attach("ben")
    User.objects.filter(pk=desk.ben.pk).update(role="safety_lead", is_superuser=True, is_staff=True)
    desk.ben.refresh_from_db()
    with pytest.raises(SameHand):
        desk.sign("ben")


@pytest.mark.parametrize("who", ["cleo", "dan"])
def test_a_role_without_the_right_signs_nothing_off(desk, who):
    desk.attach("ben")
    with pytest.raises(NotAllowed):
        desk.sign(who)
    assert not SignOff.objects.exists()


@pytest.mark.parametrize("actor", [SYSTEM, NIGHTLY])
def test_a_machine_attaches_assigns_and_signs_nothing(desk, now, actor):
    desk.attach("ben")
    for act in (
        lambda: sign_off(item_id=desk.item.pk, note="", actor=actor, now=now),
        lambda: attach_evidence(item_id=desk.item.pk, summary="x", link="", sha256="", actor=actor, now=now),
        lambda: assign_owner(item_id=desk.item.pk, owner_id=desk.ben.pk, actor=actor, now=now),
    ):
        with pytest.raises(NotAllowed, match="must be done by a named person"):
            act()
    assert (SignOff.objects.count(), Evidence.objects.count()) == (0, 1)


def test_a_deactivated_person_signs_nothing_off(desk):
    desk.attach("ben")
    desk.ada.is_active = False
    with pytest.raises(NotAllowed, match="The account of Ada Safety is not active"):
        desk.sign("ada")


def test_a_signature_stands_alone(desk, now):
    desk.attach("ben")
    desk.sign("ada")
    desk.cleo.role = "safety_lead"
    with pytest.raises(Refused, match="already signed off"):
        desk.sign("cleo")


def test_new_evidence_withdraws_the_signature_on_the_old(desk, now):
    desk.attach("ben")
    first = desk.sign("ada")
    desk.attach("ben", 1)
    first.refresh_from_db()
    assert first.withdrawn == now + MINUTE
    assert not desk.readiness().ready
    assert desk.sign("ada", 2).evidence == Evidence.objects.latest("pk")
    assert Entry.objects.filter(action="mitigations.evidence.attach").latest("seq").data["sign_offs_withdrawn"] == 1


def test_the_signature_names_the_evidence_it_judged_and_who_did_it(desk, now):
    desk.attach("dan")
    newest = desk.attach("ben", 1)
    signed = desk.sign("ada", 2)
    assert (signed.evidence, signed.done_by, signed.signed_by, signed.note) == (newest, desk.ben, desk.ada, "Read it.")


def test_an_owner_is_an_active_person(desk, now):
    assert desk.own("dan", "ada").owner == desk.dan
    User.objects.filter(pk=desk.dan.pk).update(is_active=False)
    for owner_id in (desk.dan.pk, 999_999):
        with pytest.raises(Refused, match="Only an active person"):
            assign_owner(item_id=desk.item.pk, owner_id=owner_id, actor=desk.ada.as_actor(), now=now)


def test_a_signed_item_is_not_handed_over_to_its_signer(desk):
    desk.attach("ben")
    desk.sign("ada")
    with pytest.raises(Refused, match="is signed off"):
        desk.own("ada", "ben")
    desk.item.refresh_from_db()
    assert desk.item.owner is None


@pytest.mark.parametrize(("who", "may"), [("ada", True), ("ben", True), ("cleo", False), ("dan", False)])
def test_items_are_handed_out_by_those_with_the_right(desk, who, may):
    if may:
        assert desk.own("dan", who).owner == desk.dan
    else:
        with pytest.raises(NotAllowed):
            desk.own("dan", who)


@pytest.mark.parametrize("summary", ["", "  \n"])
def test_evidence_says_something(desk, summary):
    with pytest.raises(Refused, match="Say in a sentence"):
        desk.attach("ben", summary=summary)
    assert not Evidence.objects.exists()


def test_every_step_is_audited(desk):
    desk.own("ben", "ada")
    desk.attach("ben")
    desk.sign("ada")
    actions = list(Entry.objects.filter(about__startswith="item:").order_by("seq").values_list("action", "actor"))
    assert actions == [
        ("mitigations.item.assign", "Ada Safety"),
        ("mitigations.evidence.attach", "Ben Eval"),
        ("mitigations.item.sign_off", "Ada Safety"),
    ]
    assert log.verify() is None


def test_the_database_refuses_a_signature_by_whoever_did_the_item(desk, now):
    evidence = desk.attach("ben")
    statement = (
        "INSERT INTO mitigations_signoff (item_id, evidence_id, done_by_id, signed_by_id, note, signed, withdrawn)"
        " VALUES (%s, %s, %s, %s, '', %s, NULL)"
    )
    with pytest.raises(DatabaseError, match=r"another.person"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement, [desk.item.pk, evidence.pk, desk.ben.pk, desk.ben.pk, now])
    assert not SignOff.objects.exists()


def test_the_database_refuses_to_turn_a_signature_into_ones_own(desk):
    desk.attach("ben")
    desk.sign("ada")
    for change in ({"signed_by": desk.ben}, {"done_by": desk.ada}):
        with pytest.raises(DatabaseError), transaction.atomic():
            SignOff.objects.update(**change)


def test_the_database_keeps_one_standing_signature(desk, now):
    desk.attach("ben")
    signed = desk.sign("ada")
    signed.pk = None
    with pytest.raises(DatabaseError), transaction.atomic():
        signed.save(force_insert=True)


def test_an_item_stands_once_in_a_plan(desk):
    desk.item.pk = None
    with pytest.raises(DatabaseError), transaction.atomic():
        desk.item.save(force_insert=True)


ACTS = list(permutations(["ben attaches", "dan attaches", "ada signs", "ben signs"]))
ORDERS = [("own", *acts) for acts in ACTS] + [(*acts, "own") for acts in ACTS]


@pytest.mark.parametrize("order", ORDERS, ids=", ".join)
def test_in_whatever_order_people_act_nobody_signs_off_their_own_work(desk, order):
    acts = {
        "own": lambda _: desk.own("ben", "ada"),
        "ben attaches": lambda at: desk.attach("ben", at),
        "dan attaches": lambda at: desk.attach("dan", at),
        "ada signs": lambda at: desk.sign("ada", at),
        "ben signs": lambda at: desk.sign("ben", at),
    }
    for number, name in enumerate(order):
        try:
            with transaction.atomic():
                acts[name](number)
        except Refused:
            continue
    for signed in SignOff.objects.filter(withdrawn__isnull=True).select_related("item"):
        doers = {signed.item.owner_id, *signed.item.evidence.values_list("attached_by_id", flat=True)}
        assert signed.signed_by_id not in doers
        assert signed.evidence == signed.item.evidence.latest("attached")


@on_postgres
@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_two_who_sign_at_once_leave_one_signature(desk, at_once):
    desk.attach("ben")
    for number in range(8):
        setattr(desk, f"lead{number}", User.objects.create_user(f"lead{number}", f"lead{number}@example.org", role="safety_lead"))
    said = at_once(desk.sign, [f"lead{number}" for number in range(8)])
    assert sorted(type(each).__name__ for each in said) == ["Refused"] * 7 + ["SignOff"]
    assert ChecklistItem.objects.get().sign_offs.count() == 1
