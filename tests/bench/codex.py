"""Codex's files for the benchmark: every message told twice, running sums of tokens."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

from tests.bench.corpus import HALF_A_TURN, Draft

MODELS = ("gpt-5-codex", "gpt-5.1-codex-max")


class Rollout:
    """One file and the running sums in it."""

    def __init__(self, draft: Draft) -> None:
        self.draft = draft
        self.model = draft.random.choice(MODELS)
        self.sums: Counter[str] = Counter()

    def line(self, kind: str, **payload: Any) -> None:
        self.draft.add({"timestamp": self.draft.now(), "type": kind, "payload": payload})

    def item(self, kind: str, **payload: Any) -> None:
        self.line("response_item", type=kind, **payload)

    def event(self, kind: str, **payload: Any) -> None:
        self.line("event_msg", type=kind, **payload)

    def say(self, role: str, text: str) -> None:
        kind, event = (
            ("input_text", "user_message") if role == "user" else ("output_text", "agent_message")
        )
        self.item("message", role=role, content=[{"type": kind, "text": text}])
        self.event(event, message=text)

    def turn(self, folder: str) -> None:
        random, words, counts = self.draft.random, self.draft.words, self.draft.counts
        turn_id = self.draft.uuid()
        self.event("task_started", turn_id=turn_id, model_context_window=272_000)
        self.line("turn_context", turn_id=turn_id, cwd=folder, model=self.model, effort="high")
        self.say("user", words.prose(random.randint(40, 600)))
        counts["user_prompts"] += 1
        for _ in range(random.randint(0, 5)):
            self.call()
        self.say("assistant", words.prose(random.randint(50, 900)))
        counts["assistant_texts"] += 1
        self.count_tokens()
        self.event("task_complete", turn_id=turn_id, last_agent_message=None)

    def call(self) -> None:
        random, words = self.draft.random, self.draft.words
        call_id = f"call_{random.getrandbits(96):024x}"
        command = json.dumps({"command": ["bash", "-lc", f"rg {words.prose(30)}"]})
        self.item("function_call", name="shell", arguments=command, call_id=call_id)
        self.count_tokens()
        failed = random.random() < 0.03
        answer = {
            "output": words.output(int(random.lognormvariate(6.5, 1))),
            "metadata": {"exit_code": int(failed), "duration_seconds": 0.4},
        }
        self.item("function_call_output", call_id=call_id, output=json.dumps(answer))
        self.draft.counts["tool_calls"] += 1
        self.draft.counts["tool_errors"] += failed

    def count_tokens(self) -> None:
        """Codex counts cached input as input; the truth keeps them apart. Told twice, as it is."""
        random = self.draft.random
        fresh, cached, output = (
            random.randint(10, 900),
            random.randint(0, 90_000),
            random.randint(20, 2_000),
        )
        last = {
            "input_tokens": fresh + cached,
            "cached_input_tokens": cached,
            "output_tokens": output,
            "reasoning_output_tokens": output // 3,
            "total_tokens": fresh + cached + output,
        }
        self.sums.update(last)
        info = {"total_token_usage": dict(self.sums), "last_token_usage": last}
        for _ in range(random.randint(1, 2)):
            self.event("token_count", info=info, rate_limits=None)
        self.draft.truth.use(self.model, input=fresh, cache_read=cached, output=output)


def write_codex_session(home: Path, draft: Draft, number: int, size: int) -> None:
    folder = f"/home/dev/work/project-{number % 40}"
    session_id, start = draft.uuid(), draft.clock
    name = f"rollout-{start:%Y-%m-%dT%H-%M-%S}-{session_id}.jsonl"
    rollout = Rollout(draft)
    rollout.line(
        "session_meta",
        id=session_id,
        timestamp=draft.now(),
        cwd=folder,
        originator="codex_cli_rs",
        cli_version="0.169.0",
        source="cli",
        git={"branch": "main"},
    )
    rollout.turn(folder)
    while draft.size < size - HALF_A_TURN:
        rollout.turn(folder)
    draft.counts["sessions"] += 1
    draft.save(home / ".codex" / "sessions" / f"{start:%Y/%m/%d}" / name)
