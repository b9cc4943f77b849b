"""The outbox: one row per recipient and channel, claimed with a lease, sent, and every attempt recorded."""

from django.conf import settings
from django.db import models


class Alert(models.Model):
    """One message to one person by one channel; queued in the transaction of the event it tells of."""

    QUEUED, SENT, DEAD = "queued", "sent", "dead"

    dedup_key = models.CharField(
        max_length=200, unique=True, help_text="event, recipient and channel: the same alert is never queued twice"
    )
    recipient = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="alerts")
    channel = models.CharField(max_length=10, default="email")
    event = models.CharField(max_length=60, help_text="for example threshold.alert_reached")
    severity = models.CharField(max_length=10, help_text="alert, critical or info")
    thread = models.CharField(max_length=120, help_text="what the mails of one crisis are threaded by, for example crisis.4")
    message = models.JSONField(help_text="the facts of the message, frozen when it was queued")
    state = models.CharField(max_length=10, default=QUEUED)
    queued = models.DateTimeField()
    next_try = models.DateTimeField(null=True)
    lease_until = models.DateTimeField(null=True, help_text="a worker is sending it until then; afterwards another may")
    attempts = models.PositiveIntegerField(default=0)
    sent = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.CheckConstraint(condition=models.Q(state__in=["queued", "sent", "dead"]), name="alert_state_known")]
        indexes = [
            models.Index(fields=["next_try"], condition=models.Q(state="queued"), name="alert_due"),
            models.Index(fields=["thread", "queued"], name="alert_thread"),
        ]

    def __str__(self) -> str:
        return f"{self.event} to {self.recipient_id}"

    @property
    def message_id(self) -> str:
        """The Message-ID: the same at every attempt, so that a doubled mail is recognised."""
        return f"<{self.thread}.{self.pk}@{settings.MAIL_DOMAIN}>"


class Delivery(models.Model):
    """One attempt to send an alert, with its outcome."""

    alert = models.ForeignKey(Alert, on_delete=models.PROTECT, related_name="deliveries")
    at = models.DateTimeField()
    delivered = models.BooleanField()
    error = models.CharField(max_length=500, blank=True)

    class Meta:
        verbose_name_plural = "deliveries"

    def __str__(self) -> str:
        return f"{self.alert_id} at {self.at:%Y-%m-%d %H:%M:%S}"
