"""The append-only record of who did what: every entry carries the hash of the one before it."""

from django.db import models


class Entry(models.Model):
    """One change, written in the transaction that made it; a trigger refuses any update or deletion."""

    seq = models.BigIntegerField(primary_key=True, help_text="gapless, from 1")
    at = models.DateTimeField()
    actor_kind = models.CharField(max_length=10)
    actor = models.CharField(max_length=150)
    actor_id = models.BigIntegerField(null=True)
    action = models.CharField(max_length=60, help_text="app.noun.verb, for example crises.crisis.acknowledge")
    about = models.CharField(max_length=120, help_text="what it was done to, for example crisis:4", db_index=True)
    data = models.JSONField(default=dict)
    previous_hash = models.CharField(max_length=64)
    hash = models.CharField(max_length=64)

    class Meta:
        verbose_name_plural = "entries"

    def __str__(self) -> str:
        return f"{self.seq} {self.action} {self.about}"


class Head(models.Model):
    """The last link of the chain: one row, locked while an entry is appended."""

    seq = models.BigIntegerField(default=0)
    hash = models.CharField(max_length=64, default="0" * 64)

    class Meta:
        constraints = [models.CheckConstraint(condition=models.Q(id=1), name="one_head")]

    def __str__(self) -> str:
        return f"head {self.seq}"
