"""Every address: pages for people, the API for pipelines, the health checks."""

from django.urls import include, path

from fsf.api.health import healthz, readyz

urlpatterns = [
    path("healthz", healthz),
    path("readyz", readyz),
    path("api/v1/", include("fsf.api.urls")),
    path("", include("fsf.web.urls")),
]
