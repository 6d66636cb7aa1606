"""Files of a session folder as they were read: what came as such a folder leaves as one."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import msgspec

from sessions_app import border, packing
from sessions_app.models import AgentSession, RawFile, Snapshot

SOURCE = "sessions-dir"
PLACE = r"^L[0-9]+$"  # keys of the messages of such a folder
MOST_STATE = 64 * 1024 * 1024


class Originals:
    """The kept bytes of a session's own folder, as far as nothing was added since."""

    def __init__(self, session: AgentSession) -> None:
        self.session = session
        files = RawFile.objects.filter(session=session, source=SOURCE, raw_size__gt=0)
        is_folder = session.source == SOURCE
        self.files = {_name(file.path): file for file in files} if is_folder else {}

    def messages(self) -> RawFile | None:
        """messages.jsonl, when it tells all messages that there are and nothing else does."""
        file = self.files.get("messages.jsonl")
        session = self.session
        if file is None or session.last_seq != session.message_count:
            return None
        return None if session.messages.exclude(key__regex=PLACE).exists() else file

    def state(self, snapshot: Snapshot) -> bytes | None:
        """The file of a snapshot, when it holds what is stored, or is as torn as that."""
        file = self.files.get(f"step_{snapshot.step}.json")
        if file is None or file.raw_size > MOST_STATE:
            return None
        data = b"".join(content(file))
        return data if _hash_of(data) == snapshot.sha256 else None


def content(file: RawFile) -> Iterator[bytes]:
    """Its bytes, at most 1 MiB at a time."""
    yield from map(packing.unpack, file.packed(file.generation))


def _name(path: str) -> str:
    return path.rpartition("/")[2]


def _hash_of(data: bytes) -> str:
    """Of the state as the tables keep it; nothing for a torn file."""
    try:
        told = msgspec.json.decode(data)
        state = msgspec.json.encode(border.clean_json(told["state"]))
    except (msgspec.MsgspecError, ValueError, TypeError, LookupError, RecursionError):
        return ""
    return hashlib.sha256(state).hexdigest()
