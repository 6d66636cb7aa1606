"""Names that people and programs give to sessions."""

from __future__ import annotations

import re
import unicodedata

from django.utils.translation import gettext_lazy as _

from sessions_app.actions.refusals import BadValue

LONGEST = 200
# Words that commands and addresses use in the place of an id or a name.
RESERVED = {"all", "import", "last", "latest", "me", "merge", "new", "none", "null", "undefined"}
# Neither a path, nor an escape of one, nor anything that cannot be seen.
FORBIDDEN = re.compile(r"[/\\\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff\ufffd]"
                       r"|%[0-9a-fA-F]{2}")  # fmt: skip


def clean_session_name(name: str) -> str:
    """The name in the one form in which it is compared; raises BadValue for what is no name."""
    told = unicodedata.normalize("NFC", name).strip()
    try:
        told.encode()
    except UnicodeEncodeError:
        raise BadValue(_("This name is no text."), field="name") from None
    if not 1 <= len(told) <= LONGEST:
        raise BadValue(_("A name has 1 to 200 characters."), field="name")
    if FORBIDDEN.search(told) or not told.strip("."):
        raise BadValue(_("A name holds no slashes, escapes or invisible characters."), field="name")
    if told.lower() in RESERVED:
        raise BadValue(_("This word has a meaning of its own: take another name."), field="name")
    return told
