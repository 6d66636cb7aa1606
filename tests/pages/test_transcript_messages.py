"""How messages look in a transcript."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from django.test import Client
from django.urls import reverse

from sessions_app import packing
from sessions_app.actions.storage import put_bytes
from sessions_app.models import AgentSession, Attachment, Relation, User
from sessions_app.records import CALL, IMAGE, TEXT, THINKING, Block
from tests.factories import NOON, make_call, make_message, make_session, make_usage

PNG = b"\x89PNG\r\n\x1a\n" + b"0" * 20


@pytest.fixture
def session(owner: User) -> AgentSession:
    return make_session(owner, work_dir="/srv/shop")


def page(client: Client, session: AgentSession) -> str:
    response = client.get(reverse("session_detail", args=[session.short_id]))
    assert response.status_code == 200
    return str(response.content.decode())


def test_prompts_keep_their_lines_and_are_no_markdown(
    owner_client: Client, session: AgentSession
) -> None:
    make_message(session, "one\n  two <b> **three**", kind="prompt")
    html = page(owner_client, session)
    assert "one\n  two &lt;b&gt; **three**" in html
    assert '<h2 class="message-title">Prompt</h2>' in html


def test_pieces_stand_in_the_order_in_which_they_were_said(
    owner_client: Client, session: AgentSession
) -> None:
    blocks = [
        Block(TEXT, "before"),
        Block(CALL, call_id="c"),
        Block(TEXT, "between"),
        Block(THINKING, "a thought"),
        Block(IMAGE, data=b"x"),
        Block(TEXT, "after"),
    ]
    text, thinking, layout = packing.lay_out(blocks)
    message = make_message(
        session, text, thinking=thinking, layout=layout, role="assistant", kind="answer"
    )
    make_call(message, "Bash", '{"command": "ls -la"}', "ok")
    Attachment.objects.create(
        message=message, ordinal=0, media_type="image/png", sha256=put_bytes(PNG), size=28
    )
    html = page(owner_client, session)
    places = [html.index(words) for words in (
        "<p>before</p>", "ls -la", "<p>between</p>", "<p>a thought</p>", "attachments/",
        "<p>after</p>",
    )]  # fmt: skip
    assert places == sorted(places)


def test_a_call_is_folded_to_one_line(owner_client: Client, session: AgentSession) -> None:
    message = make_message(session, "", role="assistant", kind="answer", at=NOON)
    done = make_call(message, "Read", '{"file_path": "/srv/shop/app.py"}', "text")
    failed = make_call(
        message, "Bash", '{"command": "make"}', "make: *** [all] Error 2\nmore", is_error=True,
        exit_code=2, ended_at=NOON + timedelta(seconds=75),
    )  # fmt: skip
    make_call(message, "WebFetch", '{"url": "https://example.com/?q=<b>"}')
    html = page(owner_client, session)
    assert f'<details class="call is-ok" id="c{done.pk}">' in html
    assert f'<details class="call is-error" id="c{failed.pk}">' in html
    assert ">app.py<" in html
    assert "exit 2" in html
    assert "1 min 15 s" in html
    assert "make: *** [all] Error 2 more" in html
    assert "running" in html
    assert "?q=&lt;b&gt;" in html


def test_a_call_that_never_ended_has_no_result_once_the_session_is_over(
    owner: User, owner_client: Client
) -> None:
    session = make_session(owner, status="crashed")
    make_call(make_message(session, "", role="assistant"), "Bash", '{"command": "sleep"}')
    html = page(owner_client, session)
    assert "no result" in html
    assert 'class="call is-open"' in html


def test_bodies_of_calls_are_not_in_the_window(owner_client: Client, session: AgentSession) -> None:
    message = make_message(session, "", role="assistant", kind="answer")
    call = make_call(message, "Bash", '{"command": "ls"}', "a listing")
    html = page(owner_client, session)
    assert "a listing" not in html
    address = reverse("session_call", args=[session.short_id, call.pk])
    assert f'hx-get="{address}"' in html
    assert f'href="{address}"' in html


def test_a_call_links_the_sub_agent_that_it_started(
    owner: User, owner_client: Client, session: AgentSession
) -> None:
    call = make_call(make_message(session, "", role="assistant"), "Task", "{}", "done")
    child = make_session(owner, title="Count the lines", kind="subagent")
    Relation.objects.create(parent=session, child=child, kind="subagent", call_id=call.call_id)
    html = page(owner_client, session)
    assert html.count("Count the lines") == 2  # at the call and among the relatives
    assert reverse("session_detail", args=[child.short_id]) in html


def test_tokens_cost_model_and_time_stand_beside_a_message(
    owner_client: Client, session: AgentSession
) -> None:
    message = make_message(session, "answer", role="assistant", kind="answer", model="m-1", at=NOON)
    usage = make_usage(
        session, "r1", input=1_000, output=200, cache_read=34, cost=Decimal("0.0312")
    )
    session.usage_links.filter(usage=usage).update(message=message)
    html = page(owner_client, session)
    assert "1.2k · $0.03" in html
    assert "input 1,000 · output 200 · cache read 34 · cache write 0 · $0.0312 (estimated)" in html
    assert '<time datetime="2026-11-21T12:00:00+00:00">12:00:00</time>' in html
    assert "21 Nov" in html
    assert '<span class="message-model" title="m-1">m-1</span>' in html


def test_a_response_without_a_price_says_so(owner_client: Client, session: AgentSession) -> None:
    message = make_message(session, "answer", role="assistant", kind="answer")
    for number, cost in enumerate((Decimal("0.5"), None)):
        usage = make_usage(session, f"r{number}", input=5, cost=cost)
        session.usage_links.filter(usage=usage).update(message=message)
    assert "10 · no price" in page(owner_client, session)


def test_the_model_is_told_where_it_changes(owner_client: Client, session: AgentSession) -> None:
    for model in ("one", "one", "two", "", "two", "one"):
        make_message(session, "x", role="assistant", kind="answer", model=model)
    html = page(owner_client, session)
    assert html.count('title="one">one</span>') == 2
    assert html.count('title="two">two</span>') == 1


@pytest.mark.parametrize(
    ("role", "kind", "look"),
    [
        ("user", "prompt", "prompt"),
        ("user", "", "prompt"),
        ("user", "command", "command"),
        ("assistant", "answer", "answer"),
        ("assistant", "", "answer"),
        ("assistant", "error", "error"),
        ("tool", "note", "note"),
        ("tool", "", "answer"),
        ("system", "compaction", "divider"),
        ("system", "error", "error"),
    ],
)
def test_each_kind_has_its_look(
    owner_client: Client, session: AgentSession, role: str, kind: str, look: str
) -> None:
    make_message(session, "words", role=role, kind=kind)
    assert f'class="message is-{look}"' in page(owner_client, session)


def test_what_a_compaction_says_is_folded(owner_client: Client, session: AgentSession) -> None:
    make_message(session, "Compacted", role="system", kind="compaction")
    make_message(session, "## Summary\n\n" + "long " * 50, kind="compaction")
    html = page(owner_client, session)
    assert html.count("Conversation compacted") == 2
    assert html.count('<details class="folded">') == 1
    assert '<h3 class="md-h2">Summary</h3>' in html


def test_long_words_are_cut_with_a_link_to_all_of_them(
    owner_client: Client, session: AgentSession
) -> None:
    make_message(session, "p" * 5_000, kind="prompt")
    make_message(session, "a" * 25_000, role="assistant", kind="answer", thinking="t" * 9)
    html = page(owner_client, session)
    assert "p" * 3_000 in html
    assert "p" * 3_001 not in html
    assert "Show all 5,000 characters" in html
    assert "a" * 20_001 not in html
    assert "Show all 25,009 characters" in html
    assert reverse("session_message", args=[session.short_id, 2]) in html


def test_a_window_of_long_messages_cuts_the_later_ones_more(
    owner_client: Client, session: AgentSession
) -> None:
    for _ in range(60):
        make_message(session, "<" * 19_000, role="assistant", kind="answer", thinking="t" * 9_000)
    html = page(owner_client, session)
    assert len(html) < 4_000_000
    assert html.count("<article") == 60
    assert html.count("Show all 28,000 characters") > 40


def test_only_real_images_are_shown(owner_client: Client, session: AgentSession) -> None:
    message = make_message(session, "", role="user", kind="prompt")
    rows = [
        Attachment.objects.create(
            message=message, ordinal=number, media_type="image/png", sha256=digest, size=3
        )
        for number, digest in enumerate([put_bytes(PNG), put_bytes(b"<svg>"), "0" * 64])
    ]
    html = page(owner_client, session)
    places = [reverse("session_attachment", args=[session.short_id, row.pk]) for row in rows]
    assert f'<img src="{places[0]}"' in html
    assert html.count('<img src="/sessions') == 1
    assert f'href="{places[1]}"' in html
    assert f'href="{places[2]}"' in html


def test_content_is_fenced_off_from_htmx(owner_client: Client, session: AgentSession) -> None:
    make_message(session, '<div hx-get="/x">', kind="prompt")
    make_message(session, '<div hx-get="/x">', role="assistant", kind="answer", thinking="hm")
    html = page(owner_client, session)
    assert html.count('<div class="words" hx-disable>') == 3
    assert '<div hx-get="/x"' not in html
