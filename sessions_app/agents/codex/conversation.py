"""Who said what in a Codex rollout: items gathered into responses, calls, answers, usage."""

from __future__ import annotations

from datetime import datetime

from sessions_app.agents.codex import content
from sessions_app.agents.codex.lines import Item, ThreadItem
from sessions_app.agents.codex.memory import Group, Memory
from sessions_app.records import (
    ORDINAL,
    TEXT,
    TURN_ENDED,
    TURN_OPEN,
    Block,
    MessageRecord,
    SessionRecord,
    UsageRecord,
    extend_blocks,
)

MOST_WAITING = 50
MOST_SPAWNED = 1000
SHORTEST_ID = 16  # some providers number the items of each response: "msg_0"


class Conversation:
    """Puts what the lines say into a record; place and time are those of the line at hand."""

    def __init__(self, memory: Memory) -> None:
        self.memory = memory
        self.offset = 0
        self.at: datetime | None = None
        self.ordinal: int | None = None
        self.begin(SessionRecord("codex", "codex", ""))

    @property
    def key(self) -> str:
        """Names the line at hand by its place."""
        return f"@{self.offset}"

    def begin(self, record: SessionRecord) -> None:
        """From here on everything goes into this record."""
        self.record = record
        self.response: MessageRecord | None = None

    def evidence(self, turn: str) -> None:
        """Versions without marks of turns: who spoke last tells whether one is open."""
        if not self.memory.has_tasks:
            self.record.turn = turn

    def item(self, item: Item) -> bool:
        """A response_item; False when its type is unknown."""
        kind = item.type or ""
        if kind in ("message", "agent_message"):
            self.memory.has_messages = True
            self.memory.waiting.clear()
            self._said(item, kind)
        elif kind == "reasoning":
            self._respond(item, content.thoughts(item), TURN_OPEN)
        elif kind.endswith("_call"):
            self._call(item)
        elif kind.endswith("_output"):
            self._answer(item)
        else:
            return False
        return True

    # What is no response.

    def system(self, kind: str, text: str) -> None:
        """A message of the program itself."""
        blocks = [Block(TEXT, text)] if text else []
        self._add(MessageRecord(self.key, "system", blocks, kind, self.at))

    def _add(self, message: MessageRecord) -> None:
        _place(message, self.ordinal)
        self.record.messages.append(message)
        self.close()
        if message.kind != "prompt":
            return
        self.memory.group = Group()
        self.evidence(TURN_OPEN)
        if not self.memory.has_prompt:
            self.memory.has_prompt = True
            self.record.prompt = content.plain(message.blocks)

    def _said(self, item: Item, kind: str) -> None:
        """A message from the model, a person, another agent, or the program."""
        if item.role == "assistant":
            self._respond(item, content.shown(item.content), TURN_ENDED)
            return
        if item.role == "user":
            meant, blocks = content.prompt(item.content)
        else:
            meant, blocks = "injected", content.shown(item.content)
        if blocks:
            role = "user" if item.role == "user" or kind == "agent_message" else "system"
            self._add(MessageRecord(self._key(item), role, blocks, meant, self.at))

    def _key(self, item: Item) -> str:
        """The item's id, unless it is so short that a second response may have it too."""
        return item.id if item.id and len(item.id) >= SHORTEST_ID else self.key

    # Responses.

    def close(self) -> None:
        """The next item of the model begins a response; usage may still come for the last one."""
        self.memory.group.open = False

    def _respond(self, item: Item, blocks: list[Block], turn: str) -> None:
        """A piece of a response: it goes on with the open one or begins the next."""
        self.evidence(turn)
        group = self.memory.group
        if not group.open:
            group = self.memory.group = Group(self._key(item), self.ordinal, open=True)
            self.response = None
        if not blocks:
            return
        group.said = True
        if self.response is None or self.response.key != group.key:
            model = self.memory.meter.model
            self.response = MessageRecord(group.key, "assistant", [], "answer", self.at, model)
            _place(self.response, group.ordinal)
            self.record.messages.append(self.response)
        have = self.response.blocks
        self.response.blocks = extend_blocks(have, blocks) if have else blocks

    def _call(self, item: Item) -> None:
        block = content.call(item, self.key)
        self._respond(item, [block], TURN_OPEN)
        self.memory.group.calls.append(block.call_id)
        if result := content.hosted_result(item, block.call_id, self.at):
            self.record.results.append(result)

    def _answer(self, item: Item) -> None:
        result = content.answer(item, item.id or self.key, self.at)
        if agent := self.memory.spawned.pop(result.call_id, None):
            result.metadata["agent_id"] = agent
        self.record.results.append(result)
        self.evidence(TURN_OPEN)
        group = self.memory.group
        if not group.said if group.leads else result.call_id in group.calls:
            group.open = False

    def spawned(self, item: Item) -> None:
        """A call made a sub-agent; its id is told before the call is answered."""
        call_id = item.call_id or item.event_id
        agent = item.new_thread_id or item.agent_thread_id
        if call_id and agent and len(self.memory.spawned) < MOST_SPAWNED:
            self.memory.spawned[call_id] = agent

    def bill(self, usage: UsageRecord | None) -> None:
        """Usage belongs to the last response without any, else to the one that begins next."""
        if usage is None:
            return
        group = self.memory.group
        if group.key and not group.billed:
            usage.message_key = group.key if group.said else ""
            group.billed, group.open = True, False
        else:
            usage.message_key = self.key
            self.memory.group = Group(self.key, self.ordinal, open=True, billed=True, leads=True)
            self.response = None
        self.record.usages.append(usage)

    # Messages that only events tell: they wait, since the item that they repeat may yet come.

    def thread_item(self, item: Item) -> None:
        """An item_completed event."""
        thread = item.item
        if isinstance(thread, ThreadItem):
            role = {"UserMessage": "user", "AgentMessage": "assistant"}.get(thread.type or "")
            if role:
                self.wait(role, thread.content)

    def wait(self, role: str, said: object) -> None:
        """Keep a message back until its turn ends: what was no item by then never will be one."""
        if self.memory.has_messages:
            return
        kind, blocks = content.prompt(said) if role == "user" else ("answer", content.shown(said))
        waiting = self.memory.waiting
        if not blocks or (waiting and (waiting[-1].role, waiting[-1].blocks) == (role, blocks)):
            return
        if role == "user" or len(waiting) >= MOST_WAITING:
            self.release()
        model = self.memory.meter.model if role == "assistant" else ""
        waiting.append(MessageRecord(self.key, role, blocks, kind, self.at, model))

    def release(self) -> None:
        """The turn is over: no item came for what waits."""
        for message in self.memory.waiting:
            self._add(message)
            if message.kind == "answer":
                self.evidence(TURN_ENDED)
        self.memory.waiting.clear()


def _place(message: MessageRecord, ordinal: int | None) -> None:
    """Note where in the conversation it stands: a fork tells so what is still its parent's."""
    if ordinal is not None:
        message.metadata = {ORDINAL: ordinal}
