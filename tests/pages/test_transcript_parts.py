"""What is fetched when a reader opens it: calls, long messages, snapshots."""

from __future__ import annotations

import json
import re
from html import unescape
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from sessions_app import packing
from sessions_app.actions.storage import put_bytes
from sessions_app.models import AgentSession, Attachment, Snapshot, ToolCall, User
from sessions_app.models.session import audience_of_user
from tests.factories import NOON, make_call, make_message, make_session

HTMX = {"HX-Request": "true"}


@pytest.fixture
def session(owner: User) -> AgentSession:
    return make_session(owner, title="Fix the basket")


def a_call(session: AgentSession, name: str, given: Any, result: str | None = None) -> ToolCall:
    text = given if isinstance(given, str) else json.dumps(given)
    return make_call(make_message(session, "", role="assistant"), name, text, result)


def fetch(client: Client, call: ToolCall, side: str = "", query: str = "") -> Any:
    address = reverse("session_call", args=[call.session.short_id, call.pk])
    return client.get(f"{address}{side}{'/' if side else ''}{query}", headers=HTMX)


def body(client: Client, call: ToolCall, side: str = "") -> str:
    response = fetch(client, call, side)
    assert response.status_code == 200
    return str(response.content.decode())


def text_of(html: str) -> str:
    return re.sub("<[^>]*>", "", html)


def test_a_command_looks_like_a_terminal(owner_client: Client, session: AgentSession) -> None:
    call = a_call(
        session,
        "Bash",
        {"command": "ls 'a b'", "description": "List", "timeout": 60},
        "\x1b[32mgreen\x1b[0m <b>",
    )
    html = body(owner_client, call)
    assert 'class="box is-terminal is-command"' in html
    assert "List" in html
    assert "timeout" in html
    assert '<span class="t-fg2">green</span> &lt;b&gt;' in html
    assert "<html" not in html


@pytest.mark.parametrize(
    ("name", "given", "shown"),
    [
        ("shell", {"command": ["bash", "-lc", "make test"]}, "make test"),
        ("shell", {"command": ["cat", "<b>"]}, "cat &lt;b&gt;"),
        ("exec_command", {"cmd": "seq 3"}, "seq"),
        ("Bash", {"command": "rm -rf ~\rls"}, "␍ls"),
        ("Edit", {"file_path": "a", "old_string": "x", "new_string": "y"}, '"d-add">+y'),
        ("MultiEdit", {"edits": [{"old_string": "", "new_string": "new"}]}, '"d-add">+new'),
        ("Write", {"file_path": "a.py", "content": "import os"}, '<span class="k">import'),
        ("apply_patch", "*** Begin Patch\n*** Add File: a\n+new\n*** End Patch", '"d-add">+new'),
        ("apply_patch", {"input": "*** Begin Patch\n-gone"}, '"d-del">-gone'),
        ("TodoWrite", {"todos": [{"content": "Plan", "status": "completed"}]}, "☑"),
        ("update_plan", {"plan": [{"step": "Look", "status": "in_progress"}]}, "◐"),
        ("Agent", {"prompt": "Count\nthe lines"}, "Count\nthe lines"),
        ("anything", {"nested": {"deep": [1, "two"]}}, "&quot;two&quot;"),
        ("anything", [1, 2], "1"),
        ("anything", "no json {", "no json {"),
        ("Edit", {"unknown": "fields"}, "unknown"),
        ("TodoWrite", {"todos": "odd"}, "todos"),
        ("Edit", {"edits": ["odd", {"old": 1}]}, "edits"),
        ("Bash", {"command": 7}, "7"),
    ],
)  # fmt: skip
def test_each_tool_has_its_form(
    owner_client: Client, session: AgentSession, name: str, given: Any, shown: str
) -> None:
    html = body(owner_client, a_call(session, name, given, ""))
    assert shown in html or shown in text_of(html)


@pytest.mark.parametrize(
    ("result", "shown"),
    [
        ('{"a": {"b": 1}}', '{\n  "a": {\n'),
        ('{"output": "line one\\nline two", "metadata": {}}', "line one\nline two"),
        ("{broken", "{broken"),
        ("\x1b]0;title\x07", "nothing that can be seen"),
        ("", "empty"),
    ],
)
def test_results_are_read_as_what_they_are(
    owner_client: Client, session: AgentSession, result: str, shown: str
) -> None:
    html = body(owner_client, a_call(session, "x", {}, result))
    assert shown in text_of(html).replace("&quot;", '"')


def test_a_call_without_result_shows_its_input_only(
    owner_client: Client, session: AgentSession
) -> None:
    html = body(owner_client, a_call(session, "Bash", {"command": "sleep 9"}))
    assert "sleep" in html
    assert "Result" not in html


def test_long_text_is_cut_and_comes_whole_on_request(
    owner_client: Client, session: AgentSession
) -> None:
    call = a_call(session, "Bash", {"command": "seq"}, "begin " + "x" * 6_000 + " end")
    html = body(owner_client, call)
    assert "Show all 6,010 characters" in html
    assert "x end" not in html
    assert html.count("x" * 3_000) == 1
    whole = body(owner_client, call, "output")
    assert "x end" in whole
    assert "Show all" not in whole
    assert whole.lstrip().startswith('<section class="call-side"')


def test_even_all_of_it_has_a_limit_but_the_download_has_none(
    owner_client: Client, session: AgentSession
) -> None:
    call = a_call(session, "Bash", {}, "y" * 1_000_001 + "\nend")
    html = body(owner_client, call, "output")
    assert "end\n" not in html
    assert "The rest is in the download." in html
    response = fetch(owner_client, call, "output", "?download=1")
    assert response.content.decode().endswith("y\nend")
    assert response["Content-Disposition"].startswith("attachment")
    assert response["Content-Type"] == "text/plain; charset=utf-8"
    assert response["X-Content-Type-Options"] == "nosniff"
    assert response["Content-Security-Policy"] == "sandbox; default-src 'none'"


def test_a_long_edit_and_a_long_plan_are_cut_too(
    owner_client: Client, session: AgentSession
) -> None:
    edit = {"file_path": "a", "old_string": "o\n" * 3_000, "new_string": "n\n" * 3_000}
    plan = {"todos": [{"content": "x" * 500, "status": "pending"} for _ in range(50)]}
    fields = {f"key{number}": "v" * 500 for number in range(50)}
    for name, given in (("Edit", edit), ("TodoWrite", plan), ("other", fields)):
        html = body(owner_client, a_call(session, name, given))
        assert "Show all" in html, name
        assert len(html) < 100_000, name


def test_without_javascript_each_part_is_a_page(
    owner_client: Client, session: AgentSession
) -> None:
    call = a_call(session, "Bash", {"command": "ls"}, "listing")
    address = reverse("session_call", args=[session.short_id, call.pk])
    for path in (address, f"{address}input/", f"{address}output/"):
        html = owner_client.get(path).content.decode()
        assert "<html" in html
        assert "Bash" in html
        assert "Back to the transcript" in html
        assert f"?at={call.message.seq}#m{call.message.seq}" in html


def test_images_of_a_result_are_in_its_body(owner_client: Client, session: AgentSession) -> None:
    call = a_call(session, "Read", {"file_path": "a.png"}, "")
    Attachment.objects.create(
        message=call.message, call_id=call.call_id, ordinal=0, media_type="image/png",
        sha256=put_bytes(b"\x89PNG\r\n\x1a\nrest"), size=12,
    )  # fmt: skip
    html = body(owner_client, call)
    assert "<img src=" in html
    assert "empty" not in html


@pytest.mark.parametrize("side", ["", "input", "output"])
def test_calls_of_others_are_404(
    owner: User, stranger_client: Client, owner_client: Client, session: AgentSession, side: str
) -> None:
    private = make_session(owner, visibility="private", audience=audience_of_user(owner.pk))
    call = a_call(private, "Bash", {"command": "secret"}, "secret")
    assert fetch(stranger_client, call, side).status_code == 404
    elsewhere = reverse("session_call", args=[session.short_id, call.pk])
    assert owner_client.get(elsewhere).status_code == 404


def test_unknown_parts_are_404(owner_client: Client, session: AgentSession) -> None:
    call = a_call(session, "Bash", {})
    address = reverse("session_detail", args=[session.short_id])
    unknown = [f"calls/{call.pk}/both/", f"calls/{call.pk}/output/"]
    for part in ("calls", "messages", "snapshots", "attachments", "artifacts"):
        unknown += [f"{part}/999999/", f"{part}/{2**63}/", f"{part}/x/"]
    for path in unknown:
        assert owner_client.get(address + path).status_code == 404, path


def test_a_long_message_is_whole_on_its_own_page(
    owner_client: Client, session: AgentSession
) -> None:
    make_message(
        session, "a" * 30_000 + " **end**", thinking="thought", role="assistant", kind="answer"
    )
    address = reverse("session_message", args=[session.short_id, 1])
    html = owner_client.get(address).content.decode()
    assert "<strong>end</strong>" in html
    assert "thought" in html
    download = owner_client.get(f"{address}?download=1")
    assert download.content.decode() == "thought\n\n" + "a" * 30_000 + " **end**"
    assert download["Content-Disposition"].startswith("attachment")


def test_a_snapshot_is_shown_as_json(owner_client: Client, session: AgentSession) -> None:
    Snapshot.objects.create(
        session=session, step=10, received_at=NOON, size=30,
        packed=packing.pack(b'{"done": ["<b>"], "left": 4}'),
    )  # fmt: skip
    Snapshot.objects.create(session=session, step=11, received_at=NOON, problem="torn")
    address = reverse("session_snapshot", args=[session.short_id, 10])
    html = owner_client.get(address).content.decode()
    assert '{\n  "done": [\n    "<b>"' in unescape(text_of(html))
    assert owner_client.get(f"{address}?download=1").content == b'{"done": ["<b>"], "left": 4}'
    torn = owner_client.get(reverse("session_snapshot", args=[session.short_id, 11]))
    assert "torn" in torn.content.decode()
