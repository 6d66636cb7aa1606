"""Examples for the documentation, made from the shapes themselves: they cannot go stale."""

from __future__ import annotations

from typing import Any

Shapes = dict[str, Any]

# What a field of this name looks like, where its type alone says little.
WORDS: dict[str, Any] = {
    "id": "k3f9w2m7q4ab", "name": "nightly-refactor", "backend": "claude", "source": "api",
    "backend_session_id": "7f0c1b9e-6f3a-4a55-9b1d-0e6c5a2d1f44",
    "model": "claude-sonnet-4-5", "models": ["claude-sonnet-4-5"], "status": "active",
    "created_at": "2026-11-21T08:00:00Z", "last_active": "2026-11-21T08:13:32Z",
    "at": "2026-11-21T08:13:32Z", "received_at": "2026-11-21T08:13:32Z", "ended_at": None,
    "expires_at": "2026-11-21T08:14:02Z", "work_dir": "/projects/myapp", "project": "myapp",
    "git_branch": "main", "host": "builder-1", "owner": "lin", "user": "lin",
    "title": "Refactor the parser", "prompt": "Make the tests pass.", "tags": ["nightly"],
    "tag": "nightly", "scopes": ["read", "write"], "usd": "0.2531", "recorded": "0.0000",
    "estimated": "0.2531", "key": "m1", "role": "user", "content": "Make the tests pass.",
    "kind": "prompt", "seq": 1, "last_seq": 42, "progress": 0.4, "total_steps": 100,
    "cost": None, "next": None, "holder": "builder-1:4711", "token": "ags_k3f9w2m7",
    "not_resumable_because": None, "resume_command": None, "metadata": {}, "unpriced_models": [],
}  # fmt: skip
DEEPEST = 6


def example_of(shape: Any, shapes: Shapes, name: str = "", depth: int = 0) -> Any:
    """A value that fits this JSON schema."""
    shape = _resolved(shape, shapes)
    for told in ("example", "const", "default"):
        if told in shape and (told != "default" or shape[told] is not None):
            return shape[told]
    options = [_resolved(option, shapes) for option in shape.get("anyOf", shape.get("oneOf", []))]
    if name in WORDS and _may_be(WORDS[name], [shape, *options]):
        return WORDS[name]
    if options:
        return example_of(options[0], shapes, name, depth + 1)
    return _by_type(shape, shapes, depth)


def _resolved(shape: Any, shapes: Shapes) -> dict[str, Any]:
    found: dict[str, Any] = shape if isinstance(shape, dict) else {}
    while "$ref" in found:
        found = shapes.get(str(found["$ref"]).rsplit("/", 1)[-1], {})
    return found


TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,), "integer": (int,), "number": (int, float), "array": (list,),
    "object": (dict,), "null": (type(None),), "boolean": (bool,),
}  # fmt: skip


def _may_be(value: Any, options: list[dict[str, Any]]) -> bool:
    """Whether one of these shapes takes the value."""
    for option in options:
        fits = isinstance(value, TYPES.get(str(option.get("type")), ()))
        if fits and value in option.get("enum", [value]) and "properties" not in option:
            return True
    return False


def _by_type(shape: dict[str, Any], shapes: Shapes, depth: int) -> Any:
    if "enum" in shape:
        return shape["enum"][0]
    kind = shape.get("type")
    if kind == "object":
        fields = shape.get("properties", {}) if depth < DEEPEST else {}
        return {
            field: example_of(inner, shapes, field, depth + 1) for field, inner in fields.items()
        }
    if kind == "array":
        item = example_of(shape.get("items"), shapes, "", depth + 1) if depth < DEEPEST else None
        return [] if item is None else [item]
    plain: dict[str, Any] = {"string": "…", "integer": 1, "number": 0.5, "boolean": False}
    return plain.get(str(kind))
