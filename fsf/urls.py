"""Every address: pages for people, the API for pipelines, the health checks."""

from django.urls import URLPattern, URLResolver

urlpatterns: list[URLPattern | URLResolver] = []
