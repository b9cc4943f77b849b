"""Is the process alive, and can it do its work?"""

from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, JsonResponse

from alerts.models import Alert
from fsf.api.conditional import NEVER

AT_ONCE = {"Cache-Control": NEVER}


def healthz(request: HttpRequest) -> JsonResponse:
    """The process answers."""
    return JsonResponse({"status": "ok"}, headers=AT_ONCE)


def readyz(request: HttpRequest) -> JsonResponse:
    """The database answers and its schema is up to date; alerts that were given up are told here too."""
    try:
        executor = MigrationExecutor(connection)
        waiting = len(executor.migration_plan(executor.loader.graph.leaf_nodes()))
        dead = 0 if waiting else Alert.objects.filter(state=Alert.DEAD).count()
    except DatabaseError:
        return JsonResponse({"status": "unavailable", "detail": "The database does not answer."}, status=503)
    if waiting:
        return JsonResponse({"status": "unavailable", "detail": f"{waiting} migrations wait; run manage.py migrate."}, status=503)
    return JsonResponse({"status": "ok", "dead_alerts": dead}, headers=AT_ONCE)
