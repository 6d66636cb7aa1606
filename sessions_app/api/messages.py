"""Messages: append, read, clear."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from django.http import HttpResponse
from django.utils import timezone
from ninja import Query, Router
from pydantic import Field

from sessions_app.actions.answers import Answer
from sessions_app.actions.append import append_batch, prepare_batch
from sessions_app.actions.clear import clear_messages
from sessions_app.actions.storage import open_stored
from sessions_app.api.answers import done, told, write
from sessions_app.api.auth import ApiRequest
from sessions_app.api.fences import fence_of
from sessions_app.api.lookup import own_session, seen_session
from sessions_app.api.message_shapes import Appended, Cleared, MessagePage, MessagesIn
from sessions_app.api.messages_in import read_messages
from sessions_app.api.shapes import MOST
from sessions_app.exports.message_json import message_json
from sessions_app.queries.conversation import read_after, read_last

router = Router()

MOST_MESSAGES = 1000
Size = Annotated[int, Field(ge=1, le=MOST_MESSAGES)]


@router.post("/sessions/{id}/messages", response=Appended, summary="Append messages")
def append(request: ApiRequest, id: str, body: MessagesIn) -> HttpResponse:
    """All of them or none. A `key` that is there already is answered and not stored again."""
    session, fence = own_session(request, id), fence_of(request)
    batch = prepare_batch(session, read_messages(body.messages), now=timezone.now())

    def work(now: datetime) -> Answer:
        added = append_batch(session, batch, by=request.auth.user, now=now, fence=fence)
        items = [{"seq": seq, "key": key} for seq, key in added.items]
        return done({"items": items, "last_seq": added.last_seq}, session=session)

    return write(request, work)


@router.get("/sessions/{id}/messages", response=MessagePage, summary="Read messages")
def read(
    request: ApiRequest,
    id: str,
    after: Annotated[int, Query(ge=0, le=MOST)] = 0,
    limit: Annotated[int, Query(ge=1, le=MOST_MESSAGES)] = 100,
    last: Annotated[int | None, Query(ge=1, le=MOST_MESSAGES)] = None,
) -> HttpResponse:
    """Those after a `seq`, or the `last` ones. `next` goes into `after`."""
    session = seen_session(request, id)
    found = read_after(session, after, limit) if last is None else read_last(session, last)
    end = found[-1].row.seq if found else None
    more = end is not None and last is None and end < session.last_seq
    return told(
        {
            "items": [message_json(item, read_stored) for item in found],
            "next": end if more else None,
            "last_seq": session.last_seq,
        }
    )


def read_stored(sha256: str) -> bytes | None:
    """The bytes of an image; None when the file is gone."""
    try:
        with open_stored(sha256) as file:
            return file.read()
    except FileNotFoundError:
        return None


@router.delete("/sessions/{id}/messages", response=Cleared, summary="Clear a conversation")
def clear(request: ApiRequest, id: str) -> HttpResponse:
    """The messages go to the trash; `seq` goes on where it was, and what was billed stays."""
    session, fence = own_session(request, id), fence_of(request)

    def work(now: datetime) -> Answer:
        count = clear_messages(session, by=request.auth.user, now=now, fence=fence)
        return done({"cleared": count, "last_seq": session.last_seq}, session=session)

    return write(request, work)
