"""Messages as JSON: text or blocks, the words of the agents' own formats."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from ninja import Schema
from pydantic import ConfigDict, Field

from sessions_app.api.shapes import Free, FreeObject, Moment, Name, Strict, Tokens

Text = Annotated[str, Field(max_length=8 * 1024 * 1024)]
Base64 = Annotated[str, Field(max_length=28 * 1024 * 1024)]


class TextBlock(Strict):
    """Words."""

    type: Literal["text"]
    text: Text


class ThinkingBlock(Strict):
    """Words that the model said to itself."""

    type: Literal["thinking"]
    thinking: Text


class ToolUseBlock(Strict):
    """A call of a tool; its result comes in a `tool_result` with the same id."""

    type: Literal["tool_use"]
    id: Name
    name: Name
    input: Free = None


class ImageSource(Strict):
    """The bytes of an image."""

    type: Literal["base64"] = "base64"
    media_type: Annotated[str, Field(pattern=r"^image/[a-z0-9.+-]{1,60}$")]
    data: Base64


class ImageBlock(Strict):
    """An image; its bytes are stored once, whoever sends them."""

    type: Literal["image"]
    source: ImageSource


class ToolResultBlock(Strict):
    """What the tool answered."""

    type: Literal["tool_result"]
    tool_use_id: Name
    content: Text | Annotated[list[TextBlock | ImageBlock], Field(max_length=1000)] = ""
    is_error: bool = False
    exit_code: Annotated[int, Field(ge=-(2**31), lt=2**31)] | None = None


Block = Annotated[
    TextBlock | ThinkingBlock | ToolUseBlock | ToolResultBlock | ImageBlock,
    Field(discriminator="type"),
]


class UsageIn(Strict):
    """Tokens of one billed response: `input` without cache, `output` with reasoning."""

    input: Tokens = 0
    output: Tokens = 0
    cache_read: Tokens = 0
    cache_write: Tokens = 0
    reasoning: Tokens = 0
    cost: Annotated[float, Field(ge=0, le=1000)] | None = Field(
        None, description="USD, where the agent itself knows it; else it is estimated."
    )


class MessageIn(Strict):
    """One message."""

    role: Literal["user", "assistant", "system", "tool"]
    content: Text | Annotated[list[Block], Field(max_length=10_000)]
    key: (
        Annotated[str, Field(pattern=r"^[^~\x00-\x1f\x7f-\x9f][^\x00-\x1f\x7f-\x9f]{0,199}$")]
        | None
    ) = Field(
        None, description="Unique in the session: told again, the message is not stored twice."
    )
    at: Moment | None = None
    model: Name | None = None
    usage: UsageIn | None = None
    usage_key: Name | None = Field(None, description="Of the billed response: it counts once.")
    metadata: FreeObject | None = None


class MessagesIn(Strict):
    """1 to 1000 messages; all of them are stored, or none."""

    messages: Annotated[list[MessageIn], Field(min_length=1, max_length=1000)]

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "messages": [
                    {"role": "user", "content": "Make the tests pass.", "key": "m1"},
                    {
                        "role": "assistant", "key": "m2", "model": "claude-sonnet-4-5",
                        "content": [
                            {"type": "text", "text": "I run them first."},
                            {"type": "tool_use", "id": "t1", "name": "Bash",
                             "input": {"command": "make test"}},
                        ],
                        "usage": {"input": 900, "output": 41}, "usage_key": "resp_1",
                    },
                    {
                        "role": "user", "key": "m3",
                        "content": [{"type": "tool_result", "tool_use_id": "t1", "content": "ok"}],
                    },
                ]
            }
        }
    )  # fmt: skip


class Placed(Schema):
    """Where a message stands, and its key."""

    seq: int
    key: str


class Appended(Schema):
    """Where the messages stand, in the order in which they were told."""

    items: list[Placed]
    last_seq: int


class UsageOut(Schema):
    """Tokens and cost of the responses that came with a message."""

    input: int
    output: int
    cache_read: int
    cache_write: int
    reasoning: int
    cost: str | None


class MessageOut(Schema):
    """A message as it is stored; `content` is a text or blocks."""

    seq: int
    key: str
    role: str
    kind: str | None
    model: str | None
    at: str | None
    received_at: str
    content: str | list[dict[str, Any]]
    usage: UsageOut | None
    metadata: dict[str, Any]


class MessagePage(Schema):
    """A window of a conversation; `next` goes into `after`."""

    items: list[MessageOut]
    next: int | None
    last_seq: int


class Cleared(Schema):
    """How many messages went to the trash."""

    cleared: int
    last_seq: int
