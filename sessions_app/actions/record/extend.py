"""What a later reading adds to messages and calls that are stored already."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from django.db.models import Max

from sessions_app import packing
from sessions_app.actions.bulk import allocate_ids, in_groups, insert_rows, moments
from sessions_app.actions.prepared import (
    PreparedCall,
    PreparedImage,
    PreparedMessage,
    PreparedResult,
)
from sessions_app.actions.record.rows import (
    CALL_COLUMNS,
    IMAGE_COLUMNS,
    call_row,
    count_calls,
    image_row,
    orphan_message,
)
from sessions_app.actions.record.saved import Staged
from sessions_app.models import AgentSession, Attachment, Message, ToolCall
from sessions_app.records import CALL, IMAGE, Block, extend_blocks

OUTPUT = ("output_preview", "output_packed", "output_size", "is_error", "exit_code", "ended",
          "ended_at", "metadata")  # fmt: skip


def extend_message(
    session: AgentSession, pk: int, new: PreparedMessage, staged: Staged, now: datetime
) -> None:
    """Add the new blocks of a message whose first part is stored; unchanged = no write."""
    message = Message.objects.get(pk=pk)
    calls = list(message.calls.order_by("ordinal"))
    images = list(message.attachments.order_by("ordinal"))
    own_images = [image for image in images if not image.call_id]
    old = _blocks(
        packing.pieces(
            message.text, message.thinking, message.layout, calls=len(calls), images=len(own_images)
        ),
        [call.call_id for call in calls],
        [image.sha256 for image in own_images],
    )
    new_images = [image for image in new.images if not image.call_id]
    added = _blocks(
        packing.pieces(
            new.text, new.thinking, new.layout, calls=len(new.calls), images=len(new_images)
        ),
        [call.call_id for call in new.calls],
        [staged.image(image.data) for image in new_images],
    )
    merged = extend_blocks(old, added)
    known = {call.call_id for call in calls}
    fresh_calls = [call for call in new.calls if call.call_id not in known]
    seen = {image.sha256 for image in images}
    fresh_images = [image for image in new.images if staged.image(image.data) not in seen]
    if merged == old and not fresh_calls and not fresh_images:
        return
    message.text, message.thinking, message.layout = packing.lay_out(merged)
    message.kind = new.kind or message.kind
    message.model = new.model or message.model
    message.metadata = new.metadata or message.metadata
    session.revision += 1
    message.revision = session.revision
    message.save(update_fields=["text", "thinking", "layout", "kind", "model", "metadata",
                                "revision"])  # fmt: skip
    _add_calls(session, message, len(calls), fresh_calls)
    add_images(message.pk, fresh_images, staged)


def _blocks(pieces: Sequence[packing.Piece], calls: list[str], images: list[str]) -> list[Block]:
    """Pieces as blocks that compare like the blocks they came from."""
    out = []
    for piece in pieces:
        if piece.kind == CALL:
            out.append(Block(CALL, call_id=calls[piece.index]))
        elif piece.kind == IMAGE:
            out.append(Block(IMAGE, data=images[piece.index].encode()))
        else:
            out.append(Block(piece.kind, piece.text))
    return out


def _add_calls(
    session: AgentSession, message: Message, first: int, calls: Sequence[PreparedCall]
) -> None:
    moment = moments()
    ids = allocate_ids(ToolCall, len(calls))
    rows = [
        call_row((pk, message.pk, session.pk, first + index), call, moment(call.ended_at))
        for index, (pk, call) in enumerate(zip(ids, calls, strict=True))
    ]
    insert_rows(ToolCall, CALL_COLUMNS, rows)
    count_calls(session, calls)


def add_images(message: int, images: Sequence[PreparedImage], staged: Staged) -> None:
    """Append images to a stored message."""
    if not images:
        return
    top = Attachment.objects.filter(message_id=message).aggregate(top=Max("ordinal"))["top"]
    first = 0 if top is None else top + 1
    ids = allocate_ids(Attachment, len(images))
    rows = [
        image_row(pk, message, first + index, image, staged)
        for index, (pk, image) in enumerate(zip(ids, images, strict=True))
    ]
    insert_rows(Attachment, IMAGE_COLUMNS, rows)


def answer_calls(
    session: AgentSession, results: Sequence[PreparedResult], staged: Staged, now: datetime
) -> list[PreparedMessage]:
    """Give stored calls the results that came later; answers those without any call."""
    calls: dict[str, ToolCall] = {}
    for ids in in_groups(result.call.call_id for result in results):
        rows = ToolCall.objects.filter(session=session, call_id__in=ids).order_by("-pk")
        calls.update({row.call_id: row for row in rows})
    orphans = []
    for result in results:
        call = calls.get(result.call.call_id)
        if call is None:
            orphans.append(orphan_message(result))
            continue
        if call.ended:
            continue
        for field in OUTPUT:
            setattr(call, field, getattr(result.call, field))
        call.save(update_fields=OUTPUT)
        session.open_tool_calls -= 1
        session.tool_errors += call.is_error
        session.revision += 1
        Message.objects.filter(pk=call.message_id).update(revision=session.revision)
        add_images(call.message_id, result.images, staged)
    return orphans
