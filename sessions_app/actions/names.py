"""Our own short ids."""

from __future__ import annotations

import secrets

# Base32 in lower case without look-alikes (no i, l, o, u: nobody misreads or spells a word).
ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
LENGTH = 12


def new_short_id() -> str:
    """12 random characters: 60 bits, so that two are equal once in a billion billion."""
    return "".join(secrets.choice(ALPHABET) for _ in range(LENGTH))
