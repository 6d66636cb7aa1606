"""Claude Code's files for the benchmark: responses in several lines, sub-agents, forks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.bench.corpus import HALF_A_TURN, Draft

MODELS = ("claude-opus-4-5-20251101", "claude-sonnet-4-5-20250929", "claude-haiku-4-5-20251001")
Line = dict[str, Any]


class Conversation:
    """One file; every line knows the one before it."""

    def __init__(self, draft: Draft, session_id: str, folder: str, *, agent: str = "") -> None:
        self.draft, self.session_id, self.folder, self.agent = draft, session_id, folder, agent
        self.model = draft.random.choice(MODELS)
        self.parent: str | None = None

    def line(self, kind: str, message: Line, **more: Any) -> None:
        uuid = self.draft.uuid()
        line: Line = {
            "parentUuid": self.parent,
            "isSidechain": bool(self.agent),
            "userType": "external",
            "cwd": self.folder,
            "sessionId": self.session_id,
            "version": "2.1.197",
            "gitBranch": "main",
            "type": kind,
            "message": message,
            "uuid": uuid,
            "timestamp": self.draft.now(),
            **more,
        }
        self.draft.add({"agentId": self.agent, **line} if self.agent else line)
        self.parent = uuid

    def prompt(self) -> None:
        text = self.draft.words.prose(self.draft.random.randint(40, 600))
        self.line("user", {"role": "user", "content": text})
        self.draft.counts["user_prompts"] += 1

    def turn(self) -> None:
        """A prompt, some responses that call a tool, and one that ends the turn."""
        self.prompt()
        for _ in range(self.draft.random.randint(0, 5)):
            self.result(self.response(with_call=True))
        self.response(with_call=False)

    def response(self, *, with_call: bool) -> str:
        """One line for each block, each with the usage of the whole; answers the call's id."""
        random, words, counts = self.draft.random, self.draft.words, self.draft.counts
        call_id = f"toolu_{random.getrandbits(96):024x}"
        blocks: list[Line] = []
        if random.random() < 0.4:
            blocks.append({"type": "thinking", "thinking": words.prose(300), "signature": "c2ln"})
            counts["thinking"] += 1
        if not with_call or random.random() < 0.4:
            blocks.append({"type": "text", "text": words.prose(random.randint(50, 900))})
            counts["assistant_texts"] += 1
        if with_call:
            tool_input = {"command": f"grep -rn {words.prose(30)}", "description": "Search"}
            blocks.append({"type": "tool_use", "id": call_id, "name": "Bash", "input": tool_input})
            counts["tool_calls"] += 1
        self._lines(blocks, "tool_use" if with_call else "end_turn")
        return call_id

    def _lines(self, blocks: list[Line], stop: str) -> None:
        random = self.draft.random
        usage = {
            "input_tokens": random.randint(1, 60),
            "cache_creation_input_tokens": random.randint(0, 4_000),
            "cache_read_input_tokens": random.randint(5_000, 120_000),
            "output_tokens": random.randint(20, 2_500),
        }
        names = ("input", "cache_write", "cache_read", "output")
        self.draft.truth.use(self.model, **dict(zip(names, usage.values(), strict=True)))
        message = {
            "id": f"msg_{random.getrandbits(96):024x}",
            "type": "message",
            "role": "assistant",
            "model": self.model,
            "stop_reason": stop,
            "usage": usage,
        }
        request = f"req_{random.getrandbits(64):016x}"
        for block in blocks:
            self.line("assistant", {**message, "content": [block]}, requestId=request)

    def result(self, call_id: str, agent_id: str = "") -> None:
        random = self.draft.random
        failed = random.random() < 0.03
        self.draft.counts["tool_errors"] += failed
        text = self.draft.words.output(int(random.lognormvariate(6.5, 1)))
        block = {"type": "tool_result", "tool_use_id": call_id, "content": text}
        detail: Line = {"stdout": text, "stderr": "", "interrupted": False}
        if agent_id:
            detail = {"agentId": agent_id, "status": "completed"}
        self.line(
            "user",
            {"role": "user", "content": [{**block, "is_error": failed}]},
            toolUseResult=detail,
        )


def write_claude_session(home: Path, draft: Draft, number: int, size: int) -> None:
    """Some with a sub-agent, some with a broken line, some with a fork that copies it all."""
    project = f"/home/dev/work/project-{number % 40}"
    folder = home / ".claude" / "projects" / project.replace("/", "-")
    talk = Conversation(draft, draft.uuid(), project)
    talk.turn()
    if number % 7 == 3:
        _write_sub_agent(folder, talk)
    if number % 200 == 1:
        draft.add_text('{"type":"user","message":{"role":"us')
        draft.counts["problems"] += 1
    while draft.size < size - HALF_A_TURN:
        talk.turn()
    draft.counts["sessions"] += 1
    draft.save(folder / f"{talk.session_id}.jsonl")
    if number % 30 == 5:
        _write_fork(folder, talk)


def _write_sub_agent(folder: Path, parent: Conversation) -> None:
    """A conversation of its own, called by the one that the parent's file tells."""
    main = parent.draft
    agent_id = f"a{main.random.getrandbits(64):016x}"
    call_id = parent.response(with_call=True)
    draft = Draft(main.random, main.words, main.truth, main.clock)
    Conversation(draft, parent.session_id, parent.folder, agent=agent_id).turn()
    draft.counts["subagent_files"] += 1
    path = folder / parent.session_id / "subagents" / f"agent-{agent_id}.jsonl"
    draft.save(path)
    meta = {"agentType": "general-purpose", "description": "Look", "toolUseId": call_id}
    path.with_suffix(".meta.json").write_text(json.dumps(meta))
    main.clock = draft.clock
    parent.result(call_id, agent_id)


def _write_fork(folder: Path, parent: Conversation) -> None:
    """The same lines under another id, and one turn more: copied responses are billed once."""
    old = parent.draft
    draft = Draft(old.random, old.words, old.truth, old.clock)
    fork = Conversation(draft, draft.uuid(), parent.folder)
    fork.parent = parent.parent
    for line in old.lines:
        draft.add_text(line.replace(parent.session_id, fork.session_id))
    draft.counts.update(old.counts)
    fork.turn()
    draft.save(folder / f"{fork.session_id}.jsonl")
