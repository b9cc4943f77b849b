"""Agreed measures, the checklist a crisis works through, its evidence and its sign-offs by a second person."""

from django.conf import settings
from django.db import models
from django.db.models import F, Q


class Mitigation(models.Model):
    """A measure agreed for a level before any crossing: what, why, the proof asked for and the days it needs."""

    KINDS = ("security", "deployment", "monitoring", "alignment", "access", "research", "assessment")

    level = models.ForeignKey("thresholds.CapabilityLevel", on_delete=models.PROTECT, related_name="mitigations")
    slug = models.SlugField(max_length=80)
    position = models.PositiveSmallIntegerField()
    what = models.CharField(max_length=200)
    kind = models.CharField(max_length=12)
    why = models.TextField()
    evidence_asked = models.TextField()
    days = models.PositiveIntegerField(help_text="days needed from the crossing")
    applies_to = models.CharField(max_length=10, help_text="alert, or critical for a critical crossing only")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["level", "slug"], name="mitigation_in_level"),
            models.CheckConstraint(condition=Q(applies_to__in=["alert", "critical"]), name="applies_to_known"),
        ]

    def __str__(self) -> str:
        return self.what


class Checklist(models.Model):
    """The plan of one crisis, copied as it was agreed when the line was crossed; later edits of the framework do not reach it."""

    model = models.ForeignKey("evals.FrontierModel", on_delete=models.PROTECT, related_name="checklists")
    level = models.ForeignKey("thresholds.CapabilityLevel", on_delete=models.PROTECT, related_name="checklists")
    framework_digest = models.CharField(max_length=64)
    frozen = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.level_id} for {self.model_id}"


class ChecklistItem(models.Model):
    """One measure of a frozen plan, with its owner and due date."""

    checklist = models.ForeignKey(Checklist, on_delete=models.PROTECT, related_name="items")
    position = models.PositiveSmallIntegerField()
    slug = models.SlugField(max_length=80)
    what = models.CharField(max_length=200)
    kind = models.CharField(max_length=12)
    why = models.TextField()
    evidence_asked = models.TextField()
    days = models.PositiveIntegerField()
    applies_to = models.CharField(max_length=10)
    due = models.DateField()
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="items")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["checklist", "slug"], name="item_once")]
        ordering = ["position"]

    def __str__(self) -> str:
        return self.what


class Assignment(models.Model):
    """Who was given an item, and when: a former owner had a hand in it too."""

    item = models.ForeignKey(ChecklistItem, on_delete=models.PROTECT, related_name="assignments")
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT)
    assigned = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.item_id} to {self.owner_id}"


class Evidence(models.Model):
    """Proof that an item is done: a statement, a link and the digest of what it points to; never edited."""

    item = models.ForeignKey(ChecklistItem, on_delete=models.PROTECT, related_name="evidence")
    summary = models.TextField()
    link = models.URLField(max_length=500, blank=True)
    sha256 = models.CharField(max_length=64, blank=True)
    attached_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT)
    attached = models.DateTimeField()

    class Meta:
        constraints = [models.CheckConstraint(condition=~Q(summary=""), name="evidence_says_something")]
        verbose_name_plural = "evidence"

    def __str__(self) -> str:
        return self.summary[:60]


class SignOff(models.Model):
    """A second person's judgement that an item is ready; the database refuses one by the person who did the item."""

    item = models.ForeignKey(ChecklistItem, on_delete=models.PROTECT, related_name="sign_offs")
    evidence = models.ForeignKey(Evidence, on_delete=models.PROTECT, help_text="the newest evidence when it was signed")
    done_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    signed_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="sign_offs")
    note = models.TextField(blank=True)
    signed = models.DateTimeField()
    withdrawn = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=~Q(done_by=F("signed_by")), name="signed_by_another_person"),
            models.UniqueConstraint(fields=["item"], condition=Q(withdrawn__isnull=True), name="one_standing_sign_off"),
        ]

    def __str__(self) -> str:
        return f"{self.item_id} by {self.signed_by_id}"
