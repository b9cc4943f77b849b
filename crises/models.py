"""A managed crisis: opened by a crossing, worked through by named people, closed with a reason."""

from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import Q


class Crisis(models.Model):
    """One live crisis per model and level; the crossings it answers, its frozen plan and where it stands."""

    STATES = ("opened", "acknowledged", "mitigating", "ready", "closed")

    model = models.ForeignKey("evals.FrontierModel", on_delete=models.PROTECT, related_name="crises")
    level = models.ForeignKey("thresholds.CapabilityLevel", on_delete=models.PROTECT, related_name="crises")
    checkpoint = models.ForeignKey("evals.Checkpoint", on_delete=models.PROTECT, related_name="crises", help_text="that opened it")
    state = models.CharField(max_length=12, default="opened")
    severity = models.CharField(max_length=10, help_text="alert or critical: the highest line reached")
    illustrative = models.BooleanField(default=False)
    checklist = models.OneToOneField("mitigations.Checklist", on_delete=models.PROTECT, related_name="crisis")
    crossings = models.ManyToManyField("thresholds.Crossing", related_name="crises")
    lead = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="led")
    opened = models.DateTimeField()
    acknowledge_by = models.DateTimeField()
    next_step = models.DateTimeField(null=True, help_text="when an unacknowledged crisis escalates by itself")
    escalations = models.PositiveSmallIntegerField(default=0)
    acknowledged = models.DateTimeField(null=True)
    acknowledged_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="acknowledged")
    ready = models.DateTimeField(null=True)
    closed = models.DateTimeField(null=True)

    class Meta:
        verbose_name_plural = "crises"
        constraints = [
            models.UniqueConstraint(fields=["model", "level"], condition=~Q(state="closed"), name="one_live_crisis"),
            models.CheckConstraint(
                condition=Q(state__in=["opened", "acknowledged", "mitigating", "ready", "closed"]), name="crisis_state_known"
            ),
            models.CheckConstraint(condition=Q(state="opened") | Q(acknowledged__isnull=False), name="acknowledged_has_time"),
        ]
        indexes = [models.Index(fields=["next_step"], condition=Q(state="opened"), name="crisis_unanswered")]

    def __str__(self) -> str:
        return self.ref

    @property
    def ref(self) -> str:
        """The name people use for it: CR-4."""
        return f"CR-{self.pk}"

    @property
    def thread(self) -> str:
        """What its mails are threaded by."""
        return f"crisis.{self.pk}"


class Update(models.Model):
    """One line of a crisis's timeline; never edited."""

    crisis = models.ForeignKey(Crisis, on_delete=models.PROTECT, related_name="updates")
    at = models.DateTimeField()
    author = models.CharField(max_length=150)
    kind = models.CharField(max_length=10, help_text="crossing, state, evidence, sign_off, escalation or note")
    text = models.TextField()

    class Meta:
        indexes = [models.Index(fields=["crisis", "-at", "-id"], name="timeline")]

    def __str__(self) -> str:
        return self.text[:60]


class Said(models.Model):
    """What the receipts of several runs say alike, without the names of the run; never changed."""

    words = models.JSONField(help_text="the reply without id and ref")

    class Meta:
        verbose_name_plural = "said"

    def __str__(self) -> str:
        return f"said {self.pk}"


class Receipt(models.Model):
    """What a pipeline was told when it posted a run: a repeated post gets the same words."""

    run = models.OneToOneField("evals.EvalRun", on_delete=models.PROTECT, related_name="receipt", primary_key=True)
    said = models.ForeignKey(Said, on_delete=models.PROTECT, null=True, db_index=False, related_name="receipts")
    own = models.JSONField(null=True, help_text="the whole reply, where no other run was told the same")

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(said__isnull=True, own__isnull=False) | Q(said__isnull=False, own__isnull=True), name="receipt_says_once"
            )
        ]

    def __str__(self) -> str:
        return f"receipt of {self.run_id}"

    @property
    def reply(self) -> dict[str, Any]:
        """The words that the pipeline was told."""
        return spoken(self.run_id, self.said.words) if self.said is not None else dict(self.own or {})


def spoken(run_id: int, words: Mapping[str, Any]) -> dict[str, Any]:
    """The reply to one of the runs that are told the same."""
    return {"id": run_id, "ref": f"R-{run_id}", **words}


class KeptReply(models.Model):
    """What a request with an Idempotency-Key was answered; kept for good, so that the same request is never done twice."""

    owner = models.CharField(max_length=80, help_text="kind and id of the token's owner")
    key = models.CharField(max_length=255)
    fingerprint = models.CharField(max_length=64, help_text="hex SHA-256 of address, body and reach of the token")
    status = models.PositiveSmallIntegerField()
    headers = models.JSONField(default=dict)
    body = models.BinaryField(help_text="zlib")
    at = models.DateTimeField()

    class Meta:
        verbose_name_plural = "kept replies"
        constraints = [models.UniqueConstraint(fields=["owner", "key"], name="one_reply_per_key")]

    def __str__(self) -> str:
        return f"{self.owner} {self.key}"
