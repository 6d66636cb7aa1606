"""The page that takes session files."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from sessions_app.models import AgentSession, User
from tests.ingest.talks import Talk
from tests.pages.squeeze import squeezed

UPLOAD = "/ingest/upload/"
HTMX = {"HX-Request": "true"}
HOSTILE = Path(__file__).parents[1] / "hostile"


def post(client: Client, name: str, data: bytes, **options: Any) -> Any:
    return client.post(UPLOAD, {"files": [SimpleUploadedFile(name, data)]}, **options)


def test_a_plain_form_shows_what_became_of_it(teammate: User, teammate_client: Client) -> None:
    assert 'enctype="multipart/form-data"' in squeezed(teammate_client.get(UPLOAD))
    response = post(teammate_client, "a.jsonl", Talk("aaaaaaaa").turns(1).data())
    session = AgentSession.objects.get()
    assert session.owner == teammate
    page = squeezed(response)
    assert response.status_code == 200
    assert f'href="/sessions/{session.short_id}/"' in page
    assert "New sessions: 1 · grown: 0 · messages: 2" in page


def test_htmx_gets_only_the_form_and_the_result(owner_client: Client) -> None:
    response = post(owner_client, "a.jsonl", Talk("aaaaaaaa").turns(1).data(), headers=HTMX)
    assert squeezed(response).strip().startswith('<section id="upload"')


def test_names_and_reasons_are_shown_as_text(owner_client: Client) -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("../<script>alert(1)</script>", b"x")
        archive.writestr("<b>note</b>", b"x")
    html = post(owner_client, "x.zip", out.getvalue()).content.decode()
    assert "&lt;script&gt;" in html and "<script>alert" not in html
    assert "&lt;b&gt;note" in html


@pytest.mark.parametrize(
    "name, status", [("24_truncated.zip", 400), ("23_overlap.zip", 413), ("20_slip.zip", 200),
                     ("21_symlink.zip", 200), ("25_good.zip", 200)],
)  # fmt: skip
def test_archives_are_taken_or_refused_with_a_reason(
    owner_client: Client, name: str, status: int
) -> None:
    data = (HOSTILE / name).read_bytes()
    response = post(owner_client, name, data)
    assert response.status_code == status
    if status != 200:
        assert "Refused: " in squeezed(response)
        assert "Refused: " in squeezed(post(owner_client, name, data, headers=HTMX))
        assert not AgentSession.objects.exists()


def test_too_large_a_body_is_not_even_read(owner_client: Client, settings: Any) -> None:
    settings.SESSIONS_UPLOAD_MB = 1
    response = post(owner_client, "a.jsonl", b"x" * 2_500_000)
    assert response.status_code == 413
    assert "larger than 1 MB" in squeezed(response)


def test_nothing_chosen_is_said(owner_client: Client) -> None:
    response = owner_client.post(UPLOAD)
    assert response.status_code == 400
    assert "Choose a file first" in squeezed(response)


def test_who_did_not_sign_in_sends_nothing(client: Client, owner: User) -> None:
    data = Talk("aaaaaaaa").turns(1).data()
    assert post(client, "a.jsonl", data)["Location"].startswith("/accounts/login/")
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(owner)
    assert post(strict, "a.jsonl", data).status_code == 403
    assert not AgentSession.objects.exists()


def test_what_a_stranger_sends_does_not_show_what_others_have(
    owner_client: Client, stranger_client: Client
) -> None:
    """The same conversation from another collector is a session of its own."""
    data = Talk("aaaaaaaa").turns(1).data()
    post(owner_client, "a.jsonl", data)
    post(stranger_client, "a.jsonl", data)
    assert AgentSession.objects.count() == 2


def test_other_methods_are_refused(owner_client: Client) -> None:
    assert owner_client.put(UPLOAD).status_code == 405
