"""The one line that tells what a tool was called for."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sessions_app.pages.tool_calls import (
    AGENT,
    EDIT,
    OTHER,
    PATCH,
    PLAN,
    SEARCH,
    SHELL,
    family_of,
    telling,
)


@pytest.mark.parametrize(
    ("name", "family"),
    [("Bash", SHELL), ("exec_command", SHELL), ("MultiEdit", EDIT), ("x__y", OTHER), ("", OTHER)],
)
def test_tools_of_all_agents_have_their_family(name: str, family: str) -> None:
    assert family_of(name) == family


@pytest.mark.parametrize(
    ("family", "given", "told"),
    [
        (SHELL, {"description": "List", "command": "ls -la"}, "ls -la"),
        (SHELL, {"command": ["bash", "-lc", "make test"]}, "make test"),
        (SHELL, {"command": ["git", "status"]}, "git status"),
        (SHELL, {"cmd": "seq 3"}, "seq 3"),
        (EDIT, {"replace_all": False, "file_path": "/srv/shop/a.py"}, "a.py"),
        (EDIT, {"file_path": "/etc/hosts"}, "/etc/hosts"),
        (SEARCH, {"path": "/srv/shop/src", "pattern": "def "}, "def "),
        (AGENT, {"subagent_type": "general", "description": "Count", "prompt": "x"}, "Count"),
        (OTHER, {"url": "https://example.com/"}, "https://example.com/"),
        (PLAN, {"todos": [{"status": "pending", "content": "Look around"}]}, "Look around"),
        (PLAN, {"plan": []}, ""),
        (OTHER, {"odd": 7}, "7"),
        (OTHER, {"odd": None}, ""),
        (OTHER, {}, ""),
    ],
)
def test_the_telling_argument(family: str, given: dict[str, Any], told: str) -> None:
    assert telling(family, json.dumps(given), "/srv/shop") == told


@pytest.mark.parametrize(
    ("family", "given", "told"),
    [
        (PATCH, "*** Begin Patch\n*** Update File: a.py\n@@\n*** Add File: b.py\n", "a.py, b.py"),
        (PATCH, '{"input": "*** Begin Patch\\n*** Add File: c.py\\n+x', "c.py"),
        (SHELL, '{"command": "echo \\"a very long', 'echo "a very long'),
        (SHELL, '{"command": ["bash", "-lc", "cut he', "cut he"),
        (EDIT, '{"old_string": "x", "file_path": "/srv/shop/d.py", "new', "d.py"),
        (OTHER, "await tools.run()", "await tools.run()"),
        (OTHER, "", ""),
        (SHELL, '{"command', ""),
    ],
)
def test_the_telling_argument_of_what_was_cut(family: str, given: str, told: str) -> None:
    assert telling(family, given, "/srv/shop") == told
