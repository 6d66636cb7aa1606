"""One reading of Copilot CLI's events: lines in, the parts of a session and its sub-agents out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sessions_app.agents.base import Line
from sessions_app.agents.copilot import content
from sessions_app.agents.copilot.conversation import Conversation
from sessions_app.agents.copilot.lines import AgentMemory, CopilotLine, Memory
from sessions_app.agents.copilot.usage import OUTPUT, remember, rest
from sessions_app.agents.lines import when
from sessions_app.records import (
    TEXT,
    TITLE_AGENT,
    TITLE_RECORD,
    TURN_ABORTED,
    TURN_ENDED,
    TURN_FAILED,
    TURN_OPEN,
    Block,
    RelationRecord,
    SessionRecord,
)

MAIN = ""
Data = dict[str, Any]


class Reading:
    """Takes lines one by one; `parts` hands over what each agent of the session said."""

    def __init__(self, memory: Memory, spare_name: str) -> None:
        self.memory = memory
        self.spare_name = spare_name  # of a session whose events do not name it
        self.agents: dict[str, Conversation] = {}
        self.types: dict[str, Callable[[Data], None]] = {
            "session.start": self._start,
            "session.resume": self._context,
            "session.context_changed": self._moved,
            "session.model_change": self._model,
            "session.title_changed": self._title,
            "session.usage_record": self._usage,
            "session.compaction_complete": self._compaction,
            "session.error": self._error,
            "session.task_complete": self._ended,
            "session.shutdown": self._shutdown,
            "user.message": self._user,
            "system.message": self._system,
            "system.notification": self._system,
            "assistant.turn_start": self._turn_start,
            "assistant.turn_end": self._turn_end,
            "assistant.reasoning": self._reasoning,
            "assistant.message": self._answer,
            "tool.execution_start": self._tool_start,
            "tool.execution_complete": self._tool_complete,
            "subagent.started": self._spawned,
            "subagent.completed": self._ended,
            "subagent.failed": self._failed,
            "abort": self._abort,
        }

    @property
    def has_content(self) -> bool:
        """Whether somebody has said something, in this reading or before."""
        return MAIN in self.memory.agents and self.memory.agents[MAIN].is_told

    def take(self, where: Line, line: CopilotLine) -> None:
        """Add what one line says to the conversation of the agent that it belongs to."""
        data = content.fields(line.data)
        if not self.memory.session:
            self.memory.session = content.name(data.get("sessionId")) or self.spare_name
        self.agent = content.name(line.agent_id) or self._older_name(line.type, data)
        self.one = self._conversation(self.agent)
        self.at = when(line.timestamp)
        self.key = content.name(line.id) or f"line-{where.number}"
        self.one.times(self.at)
        self.main.times(self.at)
        if line.type in self.types:
            self.types[line.type](data)

    @property
    def main(self) -> Conversation:
        """The conversation with the user."""
        return self._conversation(MAIN)

    def _older_name(self, kind: str, data: Data) -> str:
        """Without ids for agents it is the call that they work for which tells them apart."""
        called = data.get("toolCallId") if kind.startswith("subagent.") else None
        return content.name(called) or content.name(data.get("parentToolCallId"))

    def _conversation(self, agent: str) -> Conversation:
        if agent not in self.agents:
            record = self._record(agent)
            if agent and agent not in self.memory.agents:
                record.relations = [RelationRecord("subagent", self.memory.session)]
            mind = self.memory.agents.setdefault(agent, AgentMemory())
            self.agents[agent] = Conversation(mind, record)
        return self.agents[agent]

    def _record(self, agent: str) -> SessionRecord:
        session = self.memory.session
        if not agent:
            return SessionRecord("copilot", "copilot", session, session)
        return SessionRecord("copilot", "copilot", f"{session}/{agent}", agent, "subagent")

    def parts(self) -> list[SessionRecord]:
        """Everything since the last time, the session itself as the last one."""
        main = self.main.part()
        records = [one.part() for agent, one in self.agents.items() if agent]
        self.agents = {}
        for record in (*records, main):
            record.work_dir = self.memory.work_dir
        return [*records, main]

    def _start(self, data: Data) -> None:
        self.one.record.agent_version = content.word(data.get("copilotVersion"))
        self._context(data)

    def _context(self, data: Data) -> None:
        if model := content.word(data.get("selectedModel")):
            self._use(model)
        self._moved(content.fields(data.get("context")))

    def _moved(self, context: Data) -> None:
        record = self.one.record
        self.memory.work_dir = self.memory.work_dir or content.word(context.get("cwd"))
        record.git_branch = content.word(context.get("branch")) or record.git_branch
        record.repository_url = content.address(context) or record.repository_url

    def _model(self, data: Data) -> None:
        if model := content.word(data.get("newModel")):
            self._use(model)

    def _use(self, model: str) -> None:
        self.one.mind.model = self.one.record.model = model

    def _title(self, data: Data) -> None:
        if title := content.word(data.get("title")):
            self.one.record.title, self.one.record.title_rank = title, TITLE_AGENT

    def _user(self, data: Data) -> None:
        text, mind = content.word(data.get("content")), self.one.mind
        is_person = not self.agent and data.get("source") in (None, "", "user")
        if not mind.has_prompt and (is_person or self.agent):
            self.one.record.prompt = text
            mind.has_prompt = bool(text)
        kind = "prompt" if is_person else "injected"
        self.one.say(self.key, "user", kind, [Block(TEXT, text)] if text else [], self.at)
        self.one.turn(TURN_OPEN)

    def _system(self, data: Data) -> None:
        if text := content.word(data.get("content")):
            self.one.say(self.key, "system", "injected", [Block(TEXT, text)], self.at)

    def _turn_start(self, data: Data) -> None:
        self.one.turn(TURN_OPEN)

    def _turn_end(self, data: Data) -> None:
        """A step is over; when it called tools, another one follows."""
        if not self.one.mind.goes_on:
            self.one.turn(TURN_ENDED)

    def _reasoning(self, data: Data) -> None:
        self.one.mind.thoughts = content.word(data.get("content"))

    def _answer(self, data: Data) -> None:
        mind = self.one.mind
        model = content.word(data.get("model")) or mind.model
        key = content.name(data.get("apiCallId")) or content.name(data.get("messageId"))
        key = key or self.key
        blocks = content.answer(data, mind.thoughts, self.key)
        mind.thoughts = ""
        self.one.say(key, "assistant", "answer", blocks, self.at, model)
        calls = [block.call_id for block in blocks if block.call_id]
        mind.goes_on = bool(calls)
        self.one.turn(TURN_OPEN if calls else TURN_ENDED)
        mind.calls += calls
        for call_id in calls:
            mind.runs.pop(call_id, None)
        numbers = content.counts({"outputTokens": data.get("outputTokens")})
        if numbers[OUTPUT] and not self.memory.has_records:
            self._bill(key, model, numbers)

    def _usage(self, data: Data) -> None:
        """One billed response, just before the answer that it paid for."""
        told = content.fields(data.get("usage"))
        key = content.name(told.get("apiCallId")) or self.key
        model = content.word(told.get("model")) or self.one.mind.model
        self.memory.has_records = True
        self._bill(key, model, content.counts(told))
        self.one.record.usages[-1].flagged = content.is_odd(told)

    def _bill(self, key: str, model: str, numbers: list[int]) -> None:
        usage = content.usage(key, model, numbers)
        usage.message_key, usage.at = key, self.at
        self.one.record.usages.append(usage)
        remember(self.memory, model, numbers)

    def _shutdown(self, data: Data) -> None:
        """The end of a process; what it summed up but did not tell is the session's own."""
        metrics = content.fields(data.get("modelMetrics"))
        for usage in rest(self.memory, metrics, self.key):
            usage.at = self.at
            self.main.record.usages.append(usage)
        if data.get("shutdownType") == "error":
            self._fail(content.word(data.get("errorReason")))
        elif self.one.mind.turn == TURN_OPEN:
            self.one.turn(TURN_ABORTED)

    def _tool_start(self, data: Data) -> None:
        mind, call_id = self.one.mind, content.word(data.get("toolCallId"))
        if call_id and call_id not in mind.calls:
            told = content.word(data.get("toolName")), content.written(data.get("arguments"))
            mind.runs[call_id] = told

    def _tool_complete(self, data: Data) -> None:
        mind = self.one.mind
        call_id = content.word(data.get("toolCallId")) or self.key
        if call_id in mind.calls:
            mind.calls.remove(call_id)
        if call_id in mind.runs:
            title, told = mind.runs.pop(call_id)
            self.one.call(f"call-{call_id}", call_id, title, told, self.at)
        result = content.result(data, call_id)
        result.at = self.at
        if agent := mind.spawned.pop(call_id, ""):
            result.metadata = {"agent_id": agent}
        mind.is_told = True
        self.one.record.results.append(result)

    def _spawned(self, data: Data) -> None:
        """A sub-agent begins; the agent that called it may be one itself."""
        if not self.agent:
            return
        record, call_id = self.one.record, content.name(data.get("toolCallId"))
        caller = self._caller(call_id)
        above = f"{self.memory.session}/{caller}" if caller else self.memory.session
        record.relations = [RelationRecord("subagent", above, call_id)]
        self.memory.agents[caller].spawned[call_id] = self.agent
        told = (data.get("agentDescription"), data.get("agentDisplayName"), data.get("agentName"))
        record.title = next((text for text in map(content.word, told) if text), "")
        record.title_rank = TITLE_RECORD if record.title else 0
        if kind := content.word(data.get("agentType")) or content.word(data.get("agentName")):
            record.metadata["agent_type"] = kind

    def _caller(self, call_id: str) -> str:
        for agent, mind in self.memory.agents.items():
            if agent != self.agent and (call_id in mind.calls or call_id in mind.runs):
                return agent
        return MAIN

    def _ended(self, data: Data) -> None:
        """A sub-agent has done its work, or the main one what it was to do without help."""
        self.one.turn(TURN_ENDED)

    def _failed(self, data: Data) -> None:
        self._fail(content.word(data.get("error")))

    def _error(self, data: Data) -> None:
        self._fail(content.word(data.get("message")))

    def _fail(self, text: str) -> None:
        self.one.turn(TURN_FAILED)
        if text:
            self.one.record.error = text
            self.one.say(self.key, "system", "error", [Block(TEXT, text)], self.at)

    def _abort(self, data: Data) -> None:
        self.one.turn(TURN_ABORTED)

    def _compaction(self, data: Data) -> None:
        text = content.word(data.get("summaryContent"))
        if data.get("success") is not False:
            blocks = [Block(TEXT, text)] if text else []
            self.one.say(self.key, "system", "compaction", blocks, self.at)
