"""A place for one test run: nothing of the machine's own agents, settings or data is touched."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from pathlib import Path

from tests import postgres

# Everything that could lead a test to the settings or the sessions of the person who runs it.
FOREIGN = {
    *("ALLOWED_HOSTS", "CSRF_TRUSTED_ORIGINS", "DATABASE_URL", "DATABASE_URL_FILE", "DEBUG"),
    *("HOST", "PORT", "SECRET_KEY", "SECRET_KEY_FILE", "TIME_ZONE", "CLAUDE_CONFIG_DIR"),
    *("CODEX_HOME", "GEMINI_CLI_HOME", "QWEN_HOME", "KIMI_HOME", "OPENCODE_CONFIG_DIR"),
    *("COPILOT_HOME", "CLINVK_HOME"),
}
MARK = "AGENT_SESSIONS_TEST_SCRATCH"


def prepare() -> Path:
    """Set the environment once per run; the workers of xdist inherit it from their parent."""
    if MARK not in os.environ:
        _create()
    root = Path(os.environ[MARK])
    data = root / os.environ.get("PYTEST_XDIST_WORKER", "main")
    os.environ["SESSIONS_DATA_DIR"] = str(data)
    return root


def _create() -> None:
    root = Path(tempfile.mkdtemp(prefix="agent-sessions-test-"))
    atexit.register(shutil.rmtree, root, ignore_errors=True)
    for name in list(os.environ):
        if name in FOREIGN or name.startswith(("SESSIONS_", "XDG_")):
            del os.environ[name]
    home = root / "home"
    home.mkdir()
    os.environ.update({MARK: str(root), "HOME": str(home), "SESSIONS_ENV_FILE": os.devnull})
    engine = os.environ.get("TEST_DATABASE", "sqlite")
    if engine == "postgres":
        os.environ["DATABASE_URL"] = postgres.start()
    elif engine != "sqlite":
        raise SystemExit(f"TEST_DATABASE is “{engine}”, but must be sqlite or postgres.")
