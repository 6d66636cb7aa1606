"""Results that come in a later reading than their calls."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from django.db.models import Max

from sessions_app.actions.bulk import allocate_ids, in_groups, insert_rows, moments, update_rows
from sessions_app.actions.prepared import PreparedImage, PreparedMessage, PreparedResult
from sessions_app.actions.record.rows import IMAGE_COLUMNS, image_row, orphan_message
from sessions_app.actions.record.saved import Staged
from sessions_app.models import AgentSession, Attachment, Message, ToolCall

OUTPUT = ("output_preview", "output_packed", "output_size", "is_error", "exit_code", "ended",
          "ended_at", "metadata")  # fmt: skip


def answer_calls(
    session: AgentSession, results: Sequence[PreparedResult], staged: Staged
) -> list[PreparedMessage]:
    """Give stored calls the results that came later; answers those without any call.

    A result goes to the oldest call of its id that has none; when all have theirs it was told
    before.
    """
    known: set[str] = set()
    waiting: dict[str, list[tuple[int, int]]] = defaultdict(list)  # call id -> (call, message)
    for ids in in_groups(result.call.call_id for result in results):
        rows = ToolCall.objects.filter(session=session, call_id__in=ids).order_by("pk")
        for call_id, ended, pk, message in rows.values_list("call_id", "ended", "pk", "message"):
            known.add(call_id)
            if not ended:
                waiting[call_id].append((pk, message))
    orphans, outputs, revisions = [], [], []
    moment = moments()
    for result in results:
        call = result.call
        if call.call_id not in known:
            known.add(call.call_id)
            orphans.append(orphan_message(result))
        if not waiting[call.call_id]:
            continue
        pk, message = waiting[call.call_id].pop(0)
        outputs.append(
            (call.output_preview, call.output_packed, call.output_size, call.is_error,
             call.exit_code, True, moment(call.ended_at), call.metadata, pk)
        )  # fmt: skip
        session.open_tool_calls -= 1
        session.tool_errors += call.is_error
        session.revision += 1
        revisions.append((session.revision, message))
        add_images(message, result.images, staged)
    update_rows(ToolCall, OUTPUT, outputs)
    update_rows(Message, ("revision",), revisions)
    return orphans


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
