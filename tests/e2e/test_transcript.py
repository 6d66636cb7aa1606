"""Reading a session in a browser: what opens, what is fetched, what arrives by itself."""

from __future__ import annotations

from typing import Any

import pytest
from django.urls import reverse
from playwright.sync_api import Page, expect

from sessions_app.models import AgentSession, User
from tests.factories import NOON, make_call, make_message, make_session

pytestmark = [pytest.mark.e2e, pytest.mark.django_db(transaction=True)]

PHONE = {"width": 390, "height": 844}
Reader = Any


@pytest.fixture
def read(signed_in_page: Page, live_server: Any) -> Reader:
    """Opens a session's page."""

    def opened(session: AgentSession, query: str = "", **options: Any) -> Page:
        address = reverse("session_detail", args=[session.short_id])
        signed_in_page.goto(f"{live_server.url}{address}{query}", **options)
        return signed_in_page

    return opened


@pytest.fixture
def session(owner: User) -> AgentSession:
    return make_session(owner, title="Fix the basket")


def filled(session: AgentSession, count: int) -> AgentSession:
    for number in range(1, count + 1):
        make_message(session, f"Question {number}\n\nand more", kind="prompt", at=NOON)
    session.user_messages = count
    session.save(update_fields=["user_messages"])
    return session


def change(session: AgentSession, message: Any, **fields: Any) -> None:
    """What ingest does when something about a message changes."""
    session.revision += 1
    session.save(update_fields=["revision"])
    type(message).objects.filter(pk=message.pk).update(revision=session.revision, **fields)


def test_a_call_is_fetched_when_it_opens_and_stays_open(
    read: Reader, session: AgentSession
) -> None:
    message = make_message(session, "", role="assistant", kind="answer")
    make_call(message, "Bash", '{"command": "seq 2000"}', "first line\n" + "x" * 9_000 + "\nlast")
    page = read(session)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    call = page.locator("details.call")
    call.locator("summary").click()
    expect(call).to_contain_text("first line")
    expect(call).not_to_contain_text("last")
    call.get_by_role("link", name="Show all").click()
    expect(call).to_contain_text("last")
    call.locator("summary").click()
    call.locator("summary").click()
    expect(call).to_contain_text("last")
    assert len([url for url in asked if "/calls/" in url]) == 2


def test_later_messages_come_by_scrolling_and_earlier_ones_keep_the_place(
    read: Reader, session: AgentSession
) -> None:
    page = read(filled(session, 250), "?at=120#m120")
    assert page.locator("#m120").evaluate("e => e.getBoundingClientRect().top") < 400
    page.get_by_role("link", name="Later messages").scroll_into_view_if_needed()
    expect(page.locator("#m250")).to_be_attached()
    expect(page.get_by_role("link", name="Later messages")).to_have_count(0)
    page.get_by_role("link", name="Earlier messages").scroll_into_view_if_needed()
    place = page.locator("#m118").evaluate("e => e.getBoundingClientRect().top")
    page.get_by_role("link", name="Earlier messages").click()
    expect(page.locator("#m17")).to_be_attached()
    page.wait_for_timeout(300)
    assert abs(page.locator("#m118").evaluate("e => e.getBoundingClientRect().top") - place) < 200
    assert page.locator(".message").count() == len(
        set(page.locator(".message").evaluate_all("all => all.map(e => e.id)"))
    )


def test_a_running_session_grows_and_leaves_open_what_is_open(
    read: Reader, session: AgentSession
) -> None:
    message = make_message(session, "Working on it", role="assistant", kind="answer")
    done = make_call(message, "Bash", '{"command": "ls"}', "the listing")
    running = make_call(message, "Bash", '{"command": "sleep 9"}')
    page = read(session)
    opened = page.locator(f"#c{done.pk}")
    opened.locator("summary").click()
    expect(opened).to_contain_text("the listing")
    expect(page.locator(f"#c{running.pk}")).to_contain_text("running")
    running.ended, running.output_preview, running.output_size = True, "done", 4
    running.save()
    change(session, message)
    make_message(session, "And here is more", role="assistant", kind="answer")
    expect(page.locator("#m2")).to_contain_text("And here is more", timeout=15_000)
    expect(page.locator(f"#c{running.pk}")).to_contain_text("ok")
    expect(opened).to_have_attribute("open", "")
    expect(opened).to_contain_text("the listing")
    AgentSession.objects.filter(pk=session.pk).update(status="completed")
    expect(page.locator("#state")).to_contain_text("completed", timeout=15_000)


def test_news_never_takes_the_reader_away(read: Reader, session: AgentSession) -> None:
    page = read(filled(session, 60))
    make_message(session, "News", role="assistant", kind="answer")
    button = page.get_by_role("button", name="New messages below")
    expect(button).to_be_visible(timeout=15_000)
    assert page.evaluate("scrollY") == 0
    button.click()
    expect(page.locator("#m61")).to_be_in_viewport()
    expect(button).to_be_hidden()


def test_a_reader_in_the_middle_gets_no_messages_out_of_order(
    read: Reader, session: AgentSession
) -> None:
    page = read(filled(session, 150))
    make_message(session, "Far away", role="assistant", kind="answer")
    change(session, session.messages.get(seq=5), text="Question 5, changed")
    expect(page.locator("#m5")).to_contain_text("changed", timeout=15_000)
    expect(page.locator("#m151")).to_have_count(0)


def test_the_outline_stands_beside_and_leads_to_a_prompt(
    read: Reader, session: AgentSession
) -> None:
    page = read(filled(session, 40))
    page.evaluate("window.mark = 1")
    page.locator("#outline").get_by_role("link", name="Question 30").click()
    expect(page.locator("#m30")).to_be_in_viewport()
    assert page.evaluate("window.mark") == 1
    expect(page.locator('#outline a[aria-current="location"]')).to_have_count(1)


def test_on_a_phone_the_side_is_folded_and_nothing_is_too_wide(
    read: Reader, session: AgentSession, signed_in_page: Page
) -> None:
    signed_in_page.set_viewport_size(PHONE)  # type: ignore[arg-type]
    make_message(session, "w" * 3_000, kind="prompt")
    wide = "| " + " | ".join("column" * 3 for _ in range(40)) + " |\n"
    table = wide + "|" + "--|" * 40 + "\n" + wide
    make_message(session, f"{table}\n\n```\n{'c' * 500}\n```", role="assistant", kind="answer")
    page = read(session)
    assert page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]
    expect(page.locator(".facts").first).to_be_hidden()
    page.get_by_text("Details", exact=True).click()
    expect(page.locator(".facts").first).to_be_visible()


def test_showing_hidden_messages_keeps_the_place(read: Reader, session: AgentSession) -> None:
    filled(session, 30)
    make_message(session, "a reminder", kind="injected")
    make_message(session, "after it", kind="prompt")
    page = read(session)
    page.locator(".gap").click()
    expect(page.locator("#m32")).to_be_in_viewport()
    expect(page.locator("#m31")).to_contain_text("a reminder")
