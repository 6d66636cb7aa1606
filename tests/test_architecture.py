"""The layout is the architecture: who may import whom, and how large a file may grow."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings

ROOT: Path = settings.BASE_DIR
PRODUCT = ROOT / "sessions_app"
# What every layer above the tables may use: it knows neither Django nor the tables.
NEUTRAL = {"records", "border", "words", "packing", "prices"}
ALL = NEUTRAL | {"models", "actions", "queries", "ingest", "exports", "agents", "figures"}

# A layer is a module or package of sessions_app; it may also import itself.
MAY_IMPORT: dict[str, set[str]] = {
    "records": set(),
    "border": set(),
    "words": set(),
    "packing": {"records"},
    "prices": {"records"},
    "figures": set(),
    "templatetags": {"figures"},
    "agents": {"records", "border"},
    "models": set(),
    "actions": NEUTRAL | {"models", "queries.access"},
    "queries": NEUTRAL | {"models"},
    "ingest": NEUTRAL | {"agents", "actions", "models", "samples"},
    "exports": NEUTRAL | {"models", "queries", "actions.storage", "figures"},
    "samples": set(),
    "supervisor": set(),
    "pages": ALL | {"templatetags"},
    "api": ALL,
    "admin": ALL,
    "management": ALL | {"serving", "supervisor"},
}
# Layers that do not know Django, and the third-party packages that they may know.
PLAIN: dict[str, set[str]] = {
    "records": {"msgspec"},
    "border": {"msgspec"},
    "words": set(),
    "packing": {"msgspec", "zstandard"},
    "prices": {"genai_prices"},
    "agents": {"msgspec"},
    "client": set(),
    "samples": set(),
    "supervisor": set(),
}


def sources(layer: str) -> Iterator[Path]:
    file = PRODUCT / f"{layer}.py"
    if file.exists():
        yield file
    yield from (PRODUCT / layer).rglob("*.py")


def imports(file: Path) -> Iterator[str]:
    """Full names: `from sessions_app.models import User` gives sessions_app.models.User."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def shown(file: Path) -> str:
    return str(file.relative_to(ROOT))


@pytest.mark.parametrize("layer", MAY_IMPORT)
def test_a_layer_imports_only_what_lies_below_it(layer: str) -> None:
    allowed = {f"sessions_app.{name}." for name in MAY_IMPORT[layer] | {layer}}
    wrong = [
        f"{shown(file)}: {name}"
        for file in sources(layer)
        for name in imports(file)
        if name.startswith("sessions_app.") and not f"{name}.".startswith(tuple(allowed))
    ]
    assert wrong == []


@pytest.mark.parametrize("layer", PLAIN)
def test_readers_and_words_do_not_know_django(layer: str) -> None:
    known = set(sys.stdlib_module_names) | PLAIN[layer] | {"sessions_app"}
    wrong = [
        f"{shown(file)}: {name}"
        for file in sources(layer)
        for name in imports(file)
        if name.split(".")[0] not in known
    ]
    assert wrong == []


def test_the_client_imports_nothing_of_ours() -> None:
    names = [name for file in sources("client") for name in imports(file)]
    assert [n for n in names if n.startswith("sessions_app") and ".client" not in n] == []


def test_no_python_file_is_longer_than_400_lines() -> None:
    files = [*PRODUCT.rglob("*.py"), *(ROOT / "dashboard").rglob("*.py")]
    lengths = {
        shown(file): len(file.read_text(encoding="utf-8").splitlines())
        for file in files
        if "migrations" not in file.parts
    }
    assert {name: length for name, length in lengths.items() if length > 400} == {}
    assert lengths["dashboard/settings.py"] < 250


def test_every_python_file_postpones_annotations() -> None:
    wrong = [
        shown(file)
        for file in PRODUCT.rglob("*.py")
        if "migrations" not in file.parts
        and re.search(r"^\s*def ", file.read_text(encoding="utf-8"), re.MULTILINE)
        and "from __future__ import annotations" not in file.read_text(encoding="utf-8")
    ]
    assert wrong == []


def templates() -> dict[str, str]:
    files = (ROOT / "templates").rglob("*.html")
    return {shown(file): file.read_text(encoding="utf-8") for file in files}


def test_no_template_is_longer_than_80_lines() -> None:
    lengths = {name: len(text.splitlines()) for name, text in templates().items()}
    assert {name: length for name, length in lengths.items() if length > 80} == {}


def test_templates_hold_no_inline_style_or_script() -> None:
    inline = re.compile(r"\sstyle\s*=|<style\b|<script(?![^>]*\bsrc=)[^>]*>|\son[a-z]+\s*=", re.I)
    found = {name: inline.findall(text) for name, text in templates().items()}
    assert {name: hits for name, hits in found.items() if hits} == {}


def test_our_own_javascript_stays_below_1000_lines() -> None:
    scripts = (ROOT / "static" / "js").rglob("*.js")
    assert sum(len(file.read_text(encoding="utf-8").splitlines()) for file in scripts) < 1000
