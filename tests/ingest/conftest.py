"""Reading files into the store, and back out of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sessions_app.ingest.report import Report
from sessions_app.ingest.run import Wish, ingest
from sessions_app.models import User
from tests.invariants import check_invariants

Read = Callable[..., Report]


@pytest.fixture
def read(owner: User, tmp_path: Path) -> Read:
    """Ingest `tmp_path` (or other paths) in this process, and check what must always hold."""

    def run(*paths: Path, checked: bool = True, **wish: Any) -> Report:
        plain: dict[str, Any] = {"owner": owner, "home": tmp_path, "jobs": 0}
        plain["paths"] = list(paths) or [tmp_path]
        report = ingest(Wish(**{**plain, **wish}))
        if checked:
            check_invariants()
        return report

    return run
