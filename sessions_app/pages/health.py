"""Whether the process is up, and whether it can work."""

from __future__ import annotations

import shutil

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

LEAST_FREE_BYTES = 200 * 1024 * 1024


@login_not_required
@require_safe
@never_cache
def healthz(request: HttpRequest) -> HttpResponse:
    """Asks nothing of the database: a slow one must not get this process restarted."""
    return JsonResponse({"ok": True})


@login_not_required
@require_safe
@never_cache
def readyz(request: HttpRequest) -> HttpResponse:
    database, migrations = _database()
    checks = {"database": database, "migrations": migrations, "disk": _disk()}
    ok = all(state == "ok" for state in checks.values())
    return JsonResponse({"ok": ok, "checks": checks}, status=200 if ok else 503)


def _database() -> tuple[str, str]:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        executor = MigrationExecutor(connection)
        plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    except DatabaseError:
        return "unreachable", "unknown"
    return "ok", f"{len(plan)} unapplied" if plan else "ok"


def _disk() -> str:
    try:
        free = shutil.disk_usage(settings.SESSIONS_DATA_DIR).free
    except OSError:
        return "unreadable"
    return "ok" if free >= LEAST_FREE_BYTES else "nearly full"
