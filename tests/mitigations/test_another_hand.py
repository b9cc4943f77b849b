"""The database itself refuses a sign-off by anybody who had a hand in the item."""

import pytest
from django.db import IntegrityError, transaction

from crises.models import Crisis
from mitigations.checklists import SameHand, assign_owner, attach_evidence, sign_off
from mitigations.models import SignOff

pytestmark = pytest.mark.django_db


@pytest.fixture
def item(pipeline, small, aurora, ada):
    pipeline.run(3, 12)
    return Crisis.objects.get().checklist.items.get()


def proven(item, person, now):
    return attach_evidence(item_id=item.pk, summary="Done.", link="", sha256="", actor=person.as_actor(), now=now)


def test_handing_an_item_over_does_not_free_its_former_owner_to_sign_it(item, ada, ben, dan, now):
    assign_owner(item_id=item.pk, owner_id=ben.pk, actor=ada.as_actor(), now=now)
    proven(item, dan, now)
    assign_owner(item_id=item.pk, owner_id=dan.pk, actor=ben.as_actor(), now=now)
    with pytest.raises(SameHand):
        sign_off(item_id=item.pk, note="", actor=ben.as_actor(), now=now)
    assert sign_off(item_id=item.pk, note="", actor=ada.as_actor(), now=now).signed_by == ada


def test_a_row_written_past_the_product_is_refused_whatever_it_says_of_who_did_it(item, ada, ben, dan, now):
    assign_owner(item_id=item.pk, owner_id=dan.pk, actor=ada.as_actor(), now=now)
    evidence = proven(item, ben, now)
    for signer, claimed in ((ben, dan), (dan, ben), (ben, ben)):
        with pytest.raises(IntegrityError), transaction.atomic():
            SignOff.objects.create(item=item, evidence=evidence, done_by=claimed, signed_by=signer, signed=now)
    assert not SignOff.objects.exists()


def test_a_standing_sign_off_cannot_be_moved_to_one_of_those_who_did_it(item, ada, ben, now):
    proven(item, ben, now)
    sign_off(item_id=item.pk, note="", actor=ada.as_actor(), now=now)
    with pytest.raises(IntegrityError), transaction.atomic():
        SignOff.objects.update(signed_by=ben)
    assert SignOff.objects.get().signed_by == ada
