"""The database itself refuses to change what was published, however the row is written."""

import msgspec
import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from fsf.management.commands.load_framework import load_draft
from tests.conftest import small_file
from thresholds.models import CapabilityLevel, Framework, Threshold
from thresholds.publishing import publish

pytestmark = pytest.mark.django_db


def again(version):
    content = small_file()
    return msgspec.structs.replace(content, framework=msgspec.structs.replace(content.framework, version=version, reason="Again."))


def refused(do, *args, **fields):
    with pytest.raises(IntegrityError, match="never changes"), transaction.atomic():
        do(*args, **fields)


@pytest.mark.parametrize(
    "fields",
    [
        {"value": 0.9},
        {"policy": "confirmed"},
        {"confidence": 0.9},
        {"required": False},
        {"source": "elsewhere"},
    ],
)
def test_a_line_of_a_published_version_cannot_be_changed(small, fields):
    refused(Threshold.objects.update, **fields)
    assert not Threshold.objects.filter(**fields).exists()


@pytest.mark.parametrize("fields", [{"combine": "all"}, {"stages": []}, {"lead_days": 1}, {"definition": "Something else."}])
def test_a_level_of_a_published_version_cannot_be_changed(small, fields):
    refused(CapabilityLevel.objects.update, **fields)
    assert not CapabilityLevel.objects.filter(**fields).exists()


@pytest.mark.parametrize(
    "fields",
    [
        {"slug": "other"},
        {"version": "2.0"},
        {"content": {"framework": {}}},
        {"digest": "0" * 64},
        {"state": "draft"},
        {"developer": "Eastwind"},
        {"effective_from": "2030-01-01"},
        {"retest_days": 900},
        {"cadence": [{"trigger": "capability_jump"}]},
        {"reason": "rewritten"},
        {"content": {}, "digest": "earlier"},
    ],
)
def test_a_published_version_cannot_be_changed(small, fields):
    refused(Framework.objects.update, **fields)
    small.refresh_from_db()
    assert (small.key, small.state, small.developer, small.retest_days) == ("small-1.0", "published", "Northwind", 90)


def test_who_wrote_and_who_approved_cannot_be_changed(small, ada, ben):
    refused(Framework.objects.update, author=ben)
    refused(Framework.objects.update, approver=ada)
    refused(Framework.objects.update, published=timezone.now())


def test_nothing_is_added_to_a_published_version_or_taken_from_it(small):
    line = Threshold.objects.first()
    refused(Threshold.objects.filter(pk=line.pk).delete)
    refused(Threshold.objects.all()._raw_delete, "default")
    refused(CapabilityLevel.objects.all()._raw_delete, "default")
    refused(Framework.objects.all()._raw_delete, "default")
    line.pk, line.kind, line.value = None, "rule_out", 0.3
    refused(line.save, force_insert=True)
    level = CapabilityLevel.objects.get()
    level.pk, level.slug, level.key = None, "more", "small-1.0.more"
    refused(level.save, force_insert=True)
    assert (Threshold.objects.count(), CapabilityLevel.objects.count()) == (2, 1)


def test_a_line_cannot_be_moved_from_a_draft_into_a_published_version(small, ben, now):
    level = CapabilityLevel.objects.get()
    draft, _ = load_draft(again("2.0"), now=now, author=ben)
    refused(Threshold.objects.filter(level__framework=draft, kind="alert").update, level=level, kind="rule_out")
    assert level.thresholds.count() == 2


def test_a_draft_can_be_changed_until_it_is_published(ada, ben, now):
    draft, _ = load_draft(again("2.0"), now=now, author=ben)
    Threshold.objects.filter(kind="alert").update(value=0.3)
    Threshold.objects.filter(kind="critical").delete()
    publish(framework_id=draft.pk, reviewed=draft.digest, approver=ada.as_actor(), reason="The lines are right.", now=now)
    refused(Threshold.objects.update, value=0.4)
    assert [line.value for line in Threshold.objects.all()] == [0.3]


def test_what_is_no_part_of_the_version_can_still_be_noted(small, now):
    Framework.objects.update(reread=now)
    small.refresh_from_db()
    assert small.reread == now


def test_what_an_earlier_release_kept_no_content_of_can_be_completed_but_its_lines_stand(ben, now):
    load_draft(again("2.0"), now=now, origin="library")
    Framework.objects.update(state="published", published=now, content={}, digest="earlier")
    refused(Threshold.objects.update, value=0.4)
    refused(Framework.objects.update, state="draft")
    CapabilityLevel.objects.update(lead_days=30)
    Framework.objects.update(content={"framework": {}}, digest="0" * 64)
    refused(CapabilityLevel.objects.update, lead_days=60)
    refused(Framework.objects.update, content={}, digest="earlier")
