"""A Gemini session file as a conversation: the last view, with what it lost filled in."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from sessions_app.agents.gemini.lines import Record
from sessions_app.agents.google_content import parts_of

LOSES = ("timestamp", "content", "display_content", "tool_calls", "thoughts", "tokens", "model")


class View:
    """Takes the records of one file in order.

    `known` holds every message ever written, `shown` those that the last view still has;
    `told` are the records that speak of the session as a whole.
    """

    def __init__(self) -> None:
        self.known: dict[str, Record] = {}
        self.shown: dict[str, Record] = {}
        self.told: list[Record] = []

    def take(self, record: Record) -> None:
        """One line of the log, or a whole document."""
        if record.rewind_to is not None:
            self._rewind(record.rewind_to)
        elif record.key:
            self._put(record)
        elif record.set is not None:
            self.told.append(record.set)
            if record.set.messages is not None:
                self._replace(record.set.messages)
        else:
            self.told.append(record)
            for message in record.messages or ():
                self._put(message)

    def _put(self, record: Record) -> None:
        """A record that was written for its own sake: the last one wins."""
        if key := record.key:
            self.known[key] = self.shown[key] = filled(record, self.known.get(key))

    def _replace(self, records: Sequence[Record]) -> None:
        """A checkpoint: it says what is shown, but its records have lost half of themselves."""
        self.shown = {}
        for record in records:
            if key := record.key:
                self.known[key] = self.shown[key] = restored(record, self.known.get(key))

    def _rewind(self, name: str) -> None:
        """Drop the message of this id and all behind it; all of them where it is unknown."""
        keys = list(self.shown)
        place = next((at for at, key in enumerate(keys) if self.shown[key].id == name), 0)
        for key in keys[place:]:
            del self.shown[key]


def filled(record: Record, old: Record | None) -> Record:
    """`record` with what it does not tell taken from the one before."""
    if old is None:
        return record
    gaps = {
        name: value for name in LOSES if not getattr(record, name) and (value := getattr(old, name))
    }
    return msgspec.structs.replace(record, **gaps) if gaps else record


def restored(record: Record, old: Record | None) -> Record:
    """A checkpoint's record: what was said before stays, only new words replace old ones."""
    if old is None:
        return record
    new_words = words(record)
    if new_words and new_words != words(old):
        old = msgspec.structs.replace(old, content=record.content)
    return filled(old, record)


def words(record: Record) -> str:
    """The text of a record without reasoning, calls and results."""
    return "".join(part.text for part in parts_of(record.content) if part.text and not part.thought)


def merged(views: Sequence[View], main: View) -> dict[str, Record]:
    """One conversation from the files of one session: what `main` took back stays away."""
    out: dict[str, Record] = {}
    for view in views:
        for key, record in view.shown.items():
            if key not in main.known:
                out.setdefault(key, record)
            elif key in main.shown:
                out[key] = filled(out.get(key, main.shown[key]), record)
    return out
