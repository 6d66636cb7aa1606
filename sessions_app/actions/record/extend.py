"""What a later reading adds to messages and calls that are stored already."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import msgspec

from sessions_app import packing
from sessions_app.actions.bulk import allocate_ids, in_groups, insert_rows, moments, update_rows
from sessions_app.actions.prepared import (
    PreparedCall,
    PreparedImage,
    PreparedMessage,
    PreparedResult,
)
from sessions_app.actions.record.answers import add_images
from sessions_app.actions.record.rows import CALL_COLUMNS, call_row, count_calls
from sessions_app.actions.record.saved import Staged
from sessions_app.models import AgentSession, Attachment, Message, ToolCall
from sessions_app.records import CALL, IMAGE, Block, extend_blocks

WORDS = ("text", "thinking", "layout", "model", "metadata")
INPUT = ("name", "input_preview", "input_packed", "input_size")


class StoredCall(NamedTuple):
    """What must be known of a stored call to extend its message."""

    pk: int
    message: int
    call_id: str
    name: str
    input_preview: str
    input_size: int
    ended: bool


@dataclass(slots=True)
class StoredMessage:
    """A message as it is in the tables, as far as another part may extend it."""

    words: dict[str, str]
    calls: list[StoredCall] = field(default_factory=list)
    images: list[tuple[str, str]] = field(default_factory=list)  # call id, SHA-256

    def own_images(self) -> list[str]:
        """Those that the message itself holds, not a tool's result."""
        return [sha256 for call_id, sha256 in self.images if not call_id]


def extend_messages(
    session: AgentSession, grown: Sequence[tuple[int, PreparedMessage]], staged: Staged
) -> list[PreparedResult]:
    """Add what is new about messages whose first part is stored; unchanged = no write.

    Answers the results that came along for calls that are stored already.
    """
    stored = _stored(pk for pk, _ in grown)
    changed: list[tuple[Any, ...]] = []
    inputs: list[tuple[Any, ...]] = []
    results: list[PreparedResult] = []
    for pk, new in grown:
        old = stored[pk]
        have = {call.call_id: call for call in old.calls}
        fresh = [call for call in new.calls if call.call_id not in have]
        images = [image for image in new.images if _place(image, staged) not in old.images]
        told_again = [(have[call.call_id], call) for call in new.calls if call.call_id in have]
        # Images of a result that is told again go with the result, if it still counts.
        late = {call.call_id for was, call in told_again if call.ended}
        results += [
            PreparedResult(call, [image for image in images if image.call_id == call.call_id])
            for was, call in told_again
            if call.ended and not was.ended
        ]
        images = [image for image in images if image.call_id not in late]
        regrown = [(was, call) for was, call in told_again if _has_grown(was, call)]
        inputs += [(*(getattr(call, name) for name in INPUT), was.pk) for was, call in regrown]
        words = _merged_words(old, new, staged)
        if words == old.words and not (fresh or images or regrown):
            continue
        session.revision += 1
        changed.append((*(words[name] for name in WORDS), session.revision, pk))
        _add_calls(session, pk, len(old.calls), fresh)
        add_images(pk, images, staged)
    update_rows(Message, (*WORDS, "revision"), changed)
    update_rows(ToolCall, INPUT, inputs)
    return results


def _stored(keys: Iterable[int]) -> dict[int, StoredMessage]:
    found: dict[int, StoredMessage] = {}
    for pks in in_groups(keys):
        for pk, *words in Message.objects.filter(pk__in=pks).values_list("pk", *WORDS):
            found[pk] = StoredMessage(dict(zip(WORDS, words, strict=True)))
        calls = ToolCall.objects.filter(message__in=pks).order_by("message", "ordinal")
        for row in calls.values_list("pk", "message", "call_id", "name", "input_preview",
                                     "input_size", "ended"):  # fmt: skip
            found[row[1]].calls.append(StoredCall(*row))
        images = Attachment.objects.filter(message__in=pks).order_by("message", "ordinal")
        for message, call_id, sha256 in images.values_list("message", "call_id", "sha256"):
            found[message].images.append((call_id, sha256))
    return found


def _place(image: PreparedImage, staged: Staged) -> tuple[str, str]:
    return image.call_id, staged.image(image.data)


def _has_grown(was: StoredCall, call: PreparedCall) -> bool:
    """Whether a call was told again with another input: agents write a growing one anew."""
    return (was.name, was.input_preview, was.input_size) != (
        call.name, call.input_preview, call.input_size,
    )  # fmt: skip


def _merged_words(old: StoredMessage, new: PreparedMessage, staged: Staged) -> dict[str, str]:
    """The columns of the message with the new blocks; the same as before when nothing is new."""
    words = old.words
    own_images = old.own_images()
    before = _blocks(
        packing.pieces(
            words["text"], words["thinking"], words["layout"],
            calls=len(old.calls), images=len(own_images),
        ),
        [call.call_id for call in old.calls],
        own_images,
    )  # fmt: skip
    new_images = [staged.image(image.data) for image in new.images if not image.call_id]
    added = _blocks(
        packing.pieces(
            new.text, new.thinking, new.layout, calls=len(new.calls), images=len(new_images)
        ),
        [call.call_id for call in new.calls],
        new_images,
    )
    merged = extend_blocks(before, added)
    text, thinking, layout = (
        (words["text"], words["thinking"], words["layout"])
        if merged == before
        else packing.lay_out(merged)
    )
    return {
        "text": text, "thinking": thinking, "layout": layout,
        "model": new.model or words["model"],
        "metadata": _merged_json(words["metadata"], new.metadata),
    }  # fmt: skip


def _merged_json(old: str, new: str) -> str:
    if not new or not old:
        return new or old
    return msgspec.json.encode({**msgspec.json.decode(old), **msgspec.json.decode(new)}).decode()


def _blocks(pieces: Sequence[packing.Piece], calls: list[str], images: list[str]) -> list[Block]:
    """Pieces as blocks that compare like the blocks they came from."""
    out = []
    for piece in pieces:
        if piece.kind == CALL:
            out.append(Block(CALL, call_id=calls[piece.ordinal]))
        elif piece.kind == IMAGE:
            out.append(Block(IMAGE, data=images[piece.ordinal].encode()))
        else:
            out.append(Block(piece.kind, piece.text))
    return out


def _add_calls(
    session: AgentSession, message: int, first: int, calls: Sequence[PreparedCall]
) -> None:
    moment = moments()
    ids = allocate_ids(ToolCall, len(calls))
    rows = [
        call_row((pk, message, session.pk, first + index), call, moment(call.ended_at))
        for index, (pk, call) in enumerate(zip(ids, calls, strict=True))
    ]
    insert_rows(ToolCall, CALL_COLUMNS, rows)
    count_calls(session, calls)
