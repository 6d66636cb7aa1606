"""Lines of a Codex rollout, one after the other -> records; its memory survives a cut anywhere."""

from __future__ import annotations

import re
from collections.abc import Callable

import msgspec

from sessions_app.agents.base import Line, SourceFile
from sessions_app.agents.codex import content
from sessions_app.agents.codex.conversation import Conversation
from sessions_app.agents.codex.lines import Envelope, Git, Info, Item
from sessions_app.agents.codex.memory import Memory
from sessions_app.agents.lines import LineReader, when
from sessions_app.records import (
    TITLE_CUSTOM,
    TURN_ABORTED,
    TURN_ENDED,
    TURN_FAILED,
    TURN_OPEN,
    Position,
    RelationRecord,
    SessionRecord,
)

FILE_ID = re.compile(r"rollout-.*?([0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12})")
CONTENT = ("response_item", "compacted", "token_usage_record")
# Types that are known to say nothing to a reader.
QUIET = ("", "world_state", "event_msg", "inter_agent_communication",
         "inter_agent_communication_metadata", "response_item/ghost_snapshot",
         "response_item/compaction", "response_item/compaction_summary",
         "response_item/compaction_trigger", "response_item/context_compaction")  # fmt: skip
MOST_UNKNOWN = 20


class Reading:
    """One reading of one file. `take` each line, then `part` what was gathered."""

    def __init__(self, source: SourceFile, after: Position | None) -> None:
        self.source = source
        self.reader = LineReader(source, Envelope)
        self.bare = LineReader(source, Item)
        state = after.state if after else b""
        self.memory = msgspec.json.decode(state, type=Memory) if state else Memory()
        self.size = 0
        self.record = SessionRecord("codex", "codex", "")
        self.talk = Conversation(self.memory)
        self.talk.begin(self.record)
        self.kinds = self._kinds()
        self.events = self._events()

    def _kinds(self) -> dict[str, Callable[[Item], None]]:
        return {
            "session_meta": self._session_meta,
            "turn_context": self._turn_context,
            "response_item": self._response_item,
            "compacted": lambda item: self.talk.system("compaction", item.message or ""),
            "token_usage_record": self._usage_record,
        }

    def _events(self) -> dict[str, Callable[[Item], None]]:
        return {
            "token_count": self._token_count,
            "task_started": self._task_started,
            "turn_started": self._task_started,
            "task_complete": self._task_complete,
            "turn_complete": self._task_complete,
            "turn.completed": lambda item: self.talk.release(),
            "turn_aborted": self._turn_aborted,
            "thread_name_updated": self._name,
            "error": self._error,
            "user_message": lambda item: self.talk.wait("user", item.message),
            "agent_message": lambda item: self.talk.wait("assistant", item.message),
            "item_completed": self.talk.thread_item,
            "collab_agent_spawn_end": self.talk.spawned,
            "sub_agent_activity": self.talk.spawned,
        }

    def part(self, version: int) -> SessionRecord:
        """Everything since the last part, with the memory put into the source's position."""
        record = self.record
        record.identity, record.kind = self.memory.identity, self.memory.kind
        problems = {p.line: p for p in self.bare.take_problems() + self.reader.take_problems()}
        record.problems = [problems[number] for number in sorted(problems)]
        self.source.end.version = version
        self.source.end.state = msgspec.json.encode(self.memory)
        self.size = 0
        self.record = SessionRecord("codex", "codex", "")
        self.talk.begin(self.record)
        return record

    def take(self, line: Line) -> None:
        """One line more."""
        self.size += len(line.data)
        said: Envelope | None = self.reader.struct(line)
        if said is None:
            return
        kind, item = said.type or "", said.payload
        if item is None:
            kind, item = self._bare(line)
        if not isinstance(item, Item):
            if item is not None and kind in self.kinds:
                self.reader.refuse(line, f"payload is not an object but {type(item).__name__}")
            return
        is_event = kind == "event_msg"
        take = self.events.get(item.type or "") if is_event else self.kinds.get(kind)
        talk = self.talk
        talk.offset, talk.at = line.offset, when(said.timestamp)
        talk.ordinal = said.ordinal if type(said.ordinal) is int else None
        if take is not None:
            if not self.memory.identity:
                self._identify(kind, item)
            self._date()
            take(item)
        else:
            self.reader.forgive(line)  # what is not read cannot be of the wrong shape
            self._date()
            self._unknown(kind)

    def _bare(self, line: Line) -> tuple[str, Item | None]:
        """A line of the first versions, which wrote the items themselves."""
        item: Item | None = self.bare.struct(line)
        if item is None:
            return "", None
        kind = item.type or ""
        if not kind and item.id and (item.git is not None or item.instructions is not None):
            return "session_meta", item
        is_item = kind in ("message", "reasoning") or kind.endswith(("_call", "_output"))
        if is_item and (item.content or item.summary or item.call_id):
            return "response_item", item
        self.bare.forgive(line)
        return "", None

    def _identify(self, kind: str, item: Item) -> None:
        """The first session_meta names the session, or the file does when content comes first."""
        if kind == "session_meta":
            told = item.id
        elif kind in CONTENT:
            found = FILE_ID.search(self.source.path.stem)
            told = found[1] if found else None
        else:
            return
        self.memory.identity = told or (self.source.path.stem if kind in CONTENT else "")
        self.memory.meter.origin = self.memory.identity
        self.record.backend_session_id = told or ""

    def _date(self) -> None:
        at, record = self.talk.at, self.record
        if at is None:
            return
        if record.created_at is None or record.last_active is None:
            record.created_at = record.last_active = at
        elif at > record.last_active:
            record.last_active = at
        elif at < record.created_at:
            record.created_at = at

    def _unknown(self, kind: str) -> None:
        known = self.memory.unknown
        if kind not in QUIET and kind not in known and len(known) < MOST_UNKNOWN:
            known.append(kind[:100])
            self.record.metadata["unknown_lines"] = list(known)

    # The session.

    def _session_meta(self, item: Item) -> None:
        memory, record = self.memory, self.record
        if not memory.has_messages and not memory.meter.counted and item.id:
            copied_from = None if memory.is_told else item.forked_from_id
            memory.meter.origin = copied_from or item.id
        if memory.is_told:
            return
        memory.is_told = True
        self._work_dir(item.cwd)
        record.agent_version = item.cli_version or ""
        if isinstance(item.git, Git):
            record.git_branch = item.git.branch or ""
            record.repository_url = item.git.repository_url or ""
        for name in ("originator", "source", "model_provider"):
            if isinstance(value := getattr(item, name), str):
                record.metadata[name] = value
        kind, parent = content.parent(item)
        memory.kind = "subagent" if kind == "subagent" else "main"
        if parent:
            until = content.inherited(item, self.talk.ordinal)
            record.relations.append(RelationRecord(kind, parent, until=until))
        if system := content.instructions(item):
            self.talk.system("injected", system)

    def _work_dir(self, folder: str | None) -> None:
        if folder and not self.memory.work_dir:
            self.memory.work_dir = self.record.work_dir = folder

    def _turn_context(self, item: Item) -> None:
        self._work_dir(item.cwd)
        if item.model:
            self.record.model = self.memory.meter.model = item.model
        self.memory.meter.turn = item.turn_id or self.memory.meter.turn
        self.talk.close()

    def _name(self, item: Item) -> None:
        """A name for this thread; copied history also holds those of its parent."""
        if item.thread_name and item.thread_id in (None, self.memory.identity):
            self.record.title, self.record.title_rank = item.thread_name, TITLE_CUSTOM

    def _response_item(self, item: Item) -> None:
        if not self.talk.item(item):
            self._unknown(f"response_item/{item.type or ''}")

    # Turns.

    def _task_started(self, item: Item) -> None:
        self.memory.has_tasks = True
        self.memory.error = ""
        self.memory.meter.turn = item.turn_id or self.memory.meter.turn
        self.record.turn = TURN_OPEN

    def _task_complete(self, item: Item) -> None:
        self._end_turn(TURN_FAILED if item.error else TURN_ENDED)
        self.memory.has_tasks = True
        if item.error:
            self._error(item)

    def _turn_aborted(self, item: Item) -> None:
        self._end_turn(TURN_ABORTED)

    def _end_turn(self, turn: str) -> None:
        self.talk.release()
        self.talk.close()
        self.record.turn = turn

    def _error(self, item: Item) -> None:
        self.talk.evidence(TURN_FAILED)
        text = content.failure(item)
        if text and text != self.memory.error:  # the end of a turn repeats its error
            self.memory.error = self.record.error = text
            self.talk.system("error", text)

    # Tokens.

    def _usage_record(self, item: Item) -> None:
        self.talk.bill(self.memory.meter.record(item, self.talk.at))

    def _token_count(self, item: Item) -> None:
        if isinstance(item.info, Info):
            self.talk.bill(self.memory.meter.count(item.info, self.talk.at))
