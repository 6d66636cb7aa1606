"""What one recording works on: who collects, and the sessions of one group of parts."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from sessions_app.actions.prepared import PreparedSession
from sessions_app.models import AgentSession, Project, User


@dataclass(slots=True)
class Collector:
    """Who brings sessions, from which machine, and what holds for the new ones.

    It lives as long as one run: what `replaced` and `kept` remember goes from part to part.
    """

    user: User
    owner: User
    host: str
    now: datetime
    source_project: Project | None = None  # given by hand: every new session goes there
    is_sample: bool = False
    source: str = ""  # of new sessions, where it is not the agent's
    # (host, work dir) -> remote URL that the folder itself names, learnt by the ingest
    remotes: dict[str, str] = field(default_factory=dict)
    projects: dict[str, Project] = field(default_factory=dict)
    # Sessions whose conversation was taken away in this run to be read anew, and the message
    # ids that wait for their keys to come back: session -> key -> id.
    replaced: set[int] = field(default_factory=set)
    kept: dict[int, dict[str, int]] = field(default_factory=dict)
    since: datetime = field(init=False)  # when the run began

    def __post_init__(self) -> None:
        self.since = self.now


@dataclass(slots=True)
class Entry:
    """One session of the group with what the part tells about it."""

    session: AgentSession
    part: PreparedSession
    is_new: bool
    path: str
    source: str
    is_copy: bool = False  # another file has told this session before; this one is new to us
    is_renamed: bool = False  # a stub that learnt which session it is
    message_ids: dict[str, int] = field(default_factory=dict)
    before: str = ""  # its status before this recording
    seq_before: int = 0  # its last message before this recording
    replaced: bool = False  # the conversation gave way to this reading
    recount: bool = False  # token counters must be read off the rows


@dataclass(slots=True)
class Stored:
    """What a recording did."""

    created: set[int] = field(default_factory=set)
    updated: set[int] = field(default_factory=set)
    messages: int = 0
    problems: int = 0
