"""The project: settings, the two doors (api for pipelines, web for people) and the wiring."""

from fsf.celery import app as celery_app

__all__ = ["celery_app"]
