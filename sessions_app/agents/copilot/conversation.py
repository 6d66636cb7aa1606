"""What one agent of a Copilot CLI session said since the last part."""

from __future__ import annotations

from datetime import datetime

from sessions_app.agents.copilot.lines import AgentMemory
from sessions_app.records import CALL, Block, MessageRecord, SessionRecord, extend_blocks


class Conversation:
    """Collects into `record`; `mind` is what a later reading must know."""

    def __init__(self, mind: AgentMemory, record: SessionRecord) -> None:
        self.mind = mind
        self.record = record
        self.messages: dict[str, MessageRecord] = {}
        self.more: dict[str, list[Block]] = {}

    def times(self, at: datetime | None) -> None:
        """Stretch the session to this moment."""
        record = self.record
        if at is not None:
            record.created_at = min(record.created_at or at, at)
            record.last_active = max(record.last_active or at, at)

    def say(
        self,
        key: str,
        role: str,
        kind: str,
        blocks: list[Block],
        at: datetime | None,
        model: str = "",
    ) -> None:
        """Add a message, or more of one."""
        self.mind.is_told |= role != "system"  # before, nobody has said anything
        if key in self.messages:
            self.more.setdefault(key, []).extend(blocks)
            return
        self.messages[key] = MessageRecord(key, role, blocks, kind, at, model)

    def turn(self, value: str) -> None:
        """What is now known of the last turn."""
        self.mind.turn = self.record.turn = value

    def call(self, key: str, call_id: str, name: str, told: str, at: datetime | None) -> None:
        """A tool that ran though no answer asked for it."""
        self.say(key, "assistant", "note", [Block(CALL, told, call_id, name)], at)

    def part(self) -> SessionRecord:
        """Everything that was collected."""
        for key, more in self.more.items():
            self.messages[key].blocks = extend_blocks(self.messages[key].blocks, more)
        self.record.messages = list(self.messages.values())
        return self.record
