"""The Celery application: a doorbell. Truth lives in rows; a lost or doubled message changes nothing but latency."""

import os
from pathlib import Path

from celery import Celery
from django.conf import settings

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "fsf.settings")

app = Celery("fsf")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()

if not settings.REDIS_URL:
    for folder in ("messages", "control"):
        Path(settings.BROKER_DIR, folder).mkdir(parents=True, exist_ok=True)
