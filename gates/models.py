"""Recorded answers to the question: may this checkpoint be deployed?"""

from django.db import models
from django.db.models import Q


class GateDecision(models.Model):
    """One asked-for and recorded answer of the gate, with its reasons at that time."""

    checkpoint = models.ForeignKey("evals.Checkpoint", on_delete=models.PROTECT, related_name="gate_decisions")
    stage = models.CharField(max_length=10)
    verdict = models.CharField(max_length=10)
    reasons = models.JSONField()
    asked_by = models.CharField(max_length=150)
    at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(stage__in=["internal", "external"]), name="stage_known"),
            models.CheckConstraint(condition=Q(verdict__in=["pass", "hold", "unknown"]), name="verdict_known"),
        ]

    def __str__(self) -> str:
        return f"{self.checkpoint_id} {self.stage} {self.verdict}"
