"""What goes in and out as JSON, for the documentation and for the checks."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from ninja import Schema
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

MOST = 2**63 - 1
MOST_TOKENS = 10**10
MOST_DEPTH = 48


def _shallow(value: Any) -> Any:
    """Free-form JSON that every other program can read, too."""
    level, depth = [value], 0
    while level:
        depth += 1
        if depth > MOST_DEPTH:
            raise ValueError(f"nested more than {MOST_DEPTH} levels deep")
        level = [
            child
            for item in level
            if isinstance(item, dict | list)
            for child in (item.values() if isinstance(item, dict) else item)
            if isinstance(child, dict | list)
        ]
    return value


FreeObject = Annotated[dict[str, Any], AfterValidator(_shallow)]
Free = Annotated[Any, AfterValidator(_shallow)]
Count = Annotated[int, Field(ge=0, le=MOST)]
Tokens = Annotated[int, Field(ge=0, le=MOST_TOKENS)]
Line = Annotated[str, Field(max_length=500)]
Name = Annotated[str, Field(min_length=1, max_length=200)]
Tag = Annotated[str, Field(min_length=1, max_length=100)]
Tags = Annotated[list[Tag], Field(max_length=100)]
Visibility = Literal["private", "project", "everyone", "numbers"]


class Strict(BaseModel):
    """A body whose keys are all known: a typing error is told, not ignored.

    Not ninja's Schema, whose validator in Python runs for each object of a large body.
    """

    model_config = ConfigDict(extra="forbid", strict=True)


Moment = Annotated[datetime, Field(strict=False)]


class TokenUsage(Schema):
    """`input` never includes cache; `total` = input + output + cache_read + cache_write."""

    input: int
    output: int
    cache_read: int
    cache_write: int
    reasoning: int
    total: int
    inherited: int


class Cost(Schema):
    """USD; `complete` is false when a response of a model without a price is in it."""

    usd: str
    recorded: str
    estimated: str
    complete: bool
    unpriced_models: list[str]


class SessionOut(Schema):
    """A session, the same on every surface."""

    id: str
    name: str | None
    backend: str
    backend_session_id: str | None
    source: str
    model: str | None
    models: list[str]
    status: Literal["created", "active", "paused", "completed", "error", "crashed", "expired"]
    resumable: bool
    not_resumable_because: str | None
    created_at: str
    last_active: str
    ended_at: str | None
    work_dir: str | None
    project: str | None
    git_branch: str | None
    host: str | None
    owner: str
    visibility: Visibility
    protected: bool
    title: str | None
    kind: Literal["main", "subagent"]
    prompt: str | None
    description: str | None
    tags: list[str]
    token_usage: TokenUsage
    cost: Cost
    message_count: int
    user_messages: int
    tool_calls: int
    tool_errors: int
    total_steps: int | None
    current_task: str | None
    progress: float | None
    parent_id: str | None
    forked_at_seq: int | None
    merged_from: list[str]
    subagents: int
    exit_code: int | None
    duration_seconds: float | None
    metadata: dict[str, Any]
    resume_command: str | None


class SessionPage(Schema):
    """A page of sessions; `next` goes into `cursor`."""

    items: list[SessionOut]
    next: str | None


class SessionFacts(Strict):
    """What a program may tell about its session, at once or later."""

    name: Name | None = Field(None, description="Unique among the owner's sessions.")
    backend_session_id: Name | None = Field(None, description="The backend's own id.")
    model: Name | None = None
    title: Line | None = None
    description: Annotated[str, Field(max_length=20_000)] | None = None
    prompt: Annotated[str, Field(max_length=100_000)] | None = None
    tags: Tags | None = None
    work_dir: Annotated[str, Field(max_length=1000)] | None = None
    git_branch: Line | None = None
    repository_url: Annotated[str, Field(max_length=1000)] | None = None
    host: Name | None = None
    project: Name | None = Field(None, description="Key or name; made when there is none.")
    visibility: Visibility | None = None
    current_task: Line | None = None
    progress: Annotated[float, Field(ge=0, le=1)] | None = None
    total_steps: Count | None = None
    exit_code: Annotated[int, Field(ge=-(2**31), lt=2**31)] | None = None
    duration_seconds: Annotated[float, Field(ge=0, le=1e12)] | None = None
    metadata: FreeObject | None = None


class SessionIn(SessionFacts):
    """A new session. With `name`: the session of that name, if there is one."""

    backend: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,31}$")] = "api"
    kind: Literal["main", "subagent"] = "main"
    created_at: Moment | None = None
    protected: bool = False
    ephemeral: bool = Field(False, description="Nothing of it is kept after it ends.")

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "name": "nightly-refactor", "backend": "claude", "model": "claude-sonnet-4-5",
                "work_dir": "/projects/myapp", "tags": ["nightly"], "total_steps": 100,
            }
        }
    )  # fmt: skip


class SessionPatch(SessionFacts):
    """Only what is named changes; null takes a value away."""

    error: Annotated[str, Field(max_length=20_000)] | None = None

    model_config = ConfigDict(
        json_schema_extra={"example": {"title": "Refactor the parser", "progress": 0.4}}
    )
