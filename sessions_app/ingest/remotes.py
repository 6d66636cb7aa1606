"""The remote URL of a work dir on this machine, so that a project is its repository."""

from __future__ import annotations

import re
from pathlib import Path

REMOTE = re.compile(r'^\[remote "origin"\]\s*$((?:\n(?!\[).*)*)', re.MULTILINE)
URL = re.compile(r"^\s*url\s*=\s*(\S+)\s*$", re.MULTILINE)
LIMIT = 64 * 1024
MAX_PARENTS = 12


def remote_url(work_dir: str) -> str:
    """The URL of `origin` in the nearest .git/config at or above `work_dir`; "" without one."""
    folder = Path(work_dir)
    if not folder.is_absolute():
        return ""
    for place in [folder, *folder.parents][:MAX_PARENTS]:
        config = place / ".git" / "config"
        try:
            if not config.is_file() or config.is_symlink() or config.stat().st_size > LIMIT:
                continue
            text = config.read_text(errors="replace")
        except (OSError, ValueError):
            continue
        section = REMOTE.search(text)
        url = URL.search(section[1]) if section else None
        return url[1][:1000] if url else ""
    return ""
