"""Sample sessions: invented files inside the package, read like any agent's files."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from pathlib import Path

from django.conf import settings

from sessions_app.ingest.run import Wish, ingest
from sessions_app.models import AgentSession, User
from sessions_app.samples import copy_samples

HOST = "sample"


def load_samples(*, owner: User) -> int:
    """Read the sample sessions, marked as samples; answers how many. Loaded ones stay as is."""
    if AgentSession.objects.filter(is_sample=True, owner=owner).exists():
        return 0
    folder = Path(settings.SESSIONS_DATA_DIR) / "samples"
    shutil.rmtree(folder, ignore_errors=True)
    try:
        home = copy_samples(folder, datetime.now(UTC))
        wish = Wish(owner=owner, home=home, paths=[home], is_sample=True, host=HOST, jobs=0)
        report = ingest(wish)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return len(report.created)
