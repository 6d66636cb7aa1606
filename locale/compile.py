"""Compile every locale/*/LC_MESSAGES/*.po without a system gettext."""

from __future__ import annotations

from pathlib import Path

import polib


def compile_messages(folder: Path) -> None:
    for source in sorted(folder.glob("*/LC_MESSAGES/*.po")):
        polib.pofile(str(source)).save_as_mofile(str(source.with_suffix(".mo")))


if __name__ == "__main__":
    compile_messages(Path(__file__).parent)
