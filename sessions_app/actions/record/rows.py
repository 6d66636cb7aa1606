"""Rows of messages, calls and images, and how they count on their session."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sessions_app.actions.prepared import (
    PreparedCall,
    PreparedImage,
    PreparedMessage,
    PreparedResult,
)
from sessions_app.actions.record.saved import Staged
from sessions_app.models import AgentSession

MESSAGE_COLUMNS = (
    "id", "session_id", "seq", "revision", "key", "parent_key", "role", "kind", "model",
    "text", "thinking", "layout", "metadata", "at", "received_at",
)  # fmt: skip
CALL_COLUMNS = (
    "id", "message_id", "session_id", "ordinal", "call_id", "name", "input_preview",
    "input_packed", "input_size", "output_preview", "output_packed", "output_size",
    "is_error", "exit_code", "ended", "ended_at", "metadata",
)  # fmt: skip
IMAGE_COLUMNS = ("id", "message_id", "call_id", "ordinal", "media_type", "sha256", "size")


def count_message(session: AgentSession, message: PreparedMessage) -> None:
    """Give the message its place and count it on the session."""
    session.last_seq += 1
    session.revision += 1
    session.message_count += 1
    session.user_messages += message.kind == "prompt"
    session.assistant_messages += message.role == "assistant" and message.kind == "answer"
    count_calls(session, message.calls)


def count_calls(session: AgentSession, calls: Iterable[PreparedCall]) -> None:
    """Count tool calls on the session."""
    for call in calls:
        session.tool_calls += 1
        session.tool_errors += call.is_error
        session.open_tool_calls += not call.ended


def call_row(place: tuple[int, int, int, int], call: PreparedCall, ended_at: Any) -> Any:
    """A row in the order of CALL_COLUMNS; `place` = (id, message, session, ordinal)."""
    return (
        *place, call.call_id, call.name, call.input_preview, call.input_packed,
        call.input_size, call.output_preview, call.output_packed, call.output_size,
        call.is_error, call.exit_code, call.ended, ended_at, call.metadata,
    )  # fmt: skip


def image_row(pk: int, message: int, ordinal: int, image: PreparedImage, staged: Staged) -> Any:
    """A row in the order of IMAGE_COLUMNS."""
    return (
        pk, message, image.call_id, ordinal, image.media_type,
        staged.image(image.data), len(image.data),
    )  # fmt: skip


def orphan_message(result: PreparedResult) -> PreparedMessage:
    """A result whose call was never seen, as a message of its own: nothing is lost."""
    call = result.call
    return PreparedMessage(
        key=f"result:{call.call_id}"[:200], parent_key="", role="tool", kind="note", model="",
        text="", thinking="", layout="", metadata="", at=call.ended_at, calls=[call],
        images=result.images,
    )  # fmt: skip
