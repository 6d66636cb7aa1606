"""Readers of agents' own files. AGENTS is the only list of them."""

from __future__ import annotations

from sessions_app.agents.base import Agent
from sessions_app.agents.claude_code import ClaudeCode
from sessions_app.agents.clinvk import Clinvk
from sessions_app.agents.codex import Codex
from sessions_app.agents.copilot import Copilot
from sessions_app.agents.cursor import Cursor
from sessions_app.agents.droid import Droid
from sessions_app.agents.gemini import Gemini
from sessions_app.agents.kimi import Kimi
from sessions_app.agents.kimi_code import KimiCode
from sessions_app.agents.opencode import OpenCode
from sessions_app.agents.qwen import Qwen
from sessions_app.agents.sessions_dir import SessionsDir

AGENTS: tuple[Agent, ...] = (
    ClaudeCode(),
    Codex(),
    Gemini(),
    Qwen(),
    Kimi(),
    KimiCode(),
    OpenCode(),
    Copilot(),
    Clinvk(),
    SessionsDir(),
    Cursor(),
    Droid(),
)

# Read after samples that others made: never checked against files that the program itself wrote.
UNCHECKED = frozenset(("cursor", "droid"))
