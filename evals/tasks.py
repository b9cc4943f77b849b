"""The worker's share of scheduled evaluations: short steps over rows; no program runs inside a task."""

import logging

from celery import shared_task
from django.utils import timezone

from evals import runner

JOBS_AT_ONCE = 4
STEPS_PER_TICK = 20
logger = logging.getLogger(__name__)


@shared_task(name="evals.tick")
def tick() -> None:
    """Claim what is due and take every job that is ready one step on; a step that fails is repeated after its lease."""
    runner.claim_due(now=timezone.now(), limit=JOBS_AT_ONCE)
    for job_id in runner.ready_jobs(now=timezone.now(), limit=STEPS_PER_TICK):
        try:
            runner.advance(job_id=job_id, now=timezone.now())
        except Exception:
            logger.exception("Job %s could not be taken on; it is tried again.", job_id)
