"""Attachments and artifacts: bytes that no browser may run."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest
from django.test import Client
from django.urls import reverse

from sessions_app.actions.storage import put_bytes
from sessions_app.ingest.run import Wish, ingest
from sessions_app.models import AgentSession, Artifact, Attachment, User
from sessions_app.models.session import audience_of_user
from sessions_app.pages.session_files import safe_name
from tests.factories import NOON, make_message, make_session
from tests.ingest.talks import Talk, subagent, write_subagent

SVG = b'<svg xmlns="http://www.w3.org/2000/svg" onload="window.__x=5"/>'
HEADS = {
    "image/png": b"\x89PNG\r\n\x1a\n....",
    "image/jpeg": b"\xff\xd8\xff\xe0....",
    "image/gif": b"GIF89a....",
    "image/webp": b"RIFF\x00\x00\x00\x00WEBPVP8 ",
}


@pytest.fixture
def session(owner: User) -> AgentSession:
    return make_session(owner)


def attached(session: AgentSession, data: bytes, claim: str = "image/png") -> str:
    row = Attachment.objects.create(
        message=make_message(session), ordinal=0, media_type=claim, sha256=put_bytes(data), size=1
    )
    return reverse("session_attachment", args=[session.short_id, row.pk])


def artifact(session: AgentSession, path: str, data: bytes = SVG) -> str:
    row = Artifact.objects.create(
        session=session, path=path, sha256=put_bytes(data), size=len(data), received_at=NOON
    )
    return reverse("session_artifact", args=[session.short_id, row.pk])


def content(response: Any) -> bytes:
    return b"".join(response.streaming_content)


def is_sealed(response: Any) -> bool:
    policy = str(response["Content-Security-Policy"])
    options = str(response["X-Content-Type-Options"])
    return policy == "sandbox; default-src 'none'" and options == "nosniff"


@pytest.mark.parametrize("media_type", HEADS)
def test_a_real_image_is_shown_and_kept(
    owner_client: Client, session: AgentSession, media_type: str
) -> None:
    response = owner_client.get(attached(session, HEADS[media_type], claim="text/html"))
    assert response["Content-Type"] == media_type
    assert "attachment" not in response.get("Content-Disposition", "")
    assert "private" in response["Cache-Control"]
    assert "max-age=31536000" in response["Cache-Control"]
    assert is_sealed(response)
    assert content(response) == HEADS[media_type]


@pytest.mark.parametrize(
    "data", [SVG, b"<html><script>1</script>", b"GIF88a", b"", b"RIFF1234AVI "]
)
def test_what_only_claims_to_be_an_image_is_saved_not_shown(
    owner_client: Client, session: AgentSession, data: bytes
) -> None:
    response = owner_client.get(attached(session, data))
    assert content(response) == data
    assert response["Content-Type"] == "application/octet-stream"
    assert response["Content-Disposition"].startswith("attachment")
    assert is_sealed(response)


def test_an_artifact_is_always_saved(owner_client: Client, session: AgentSession) -> None:
    for name, data in (("a/chart.svg", SVG), ("b.png", HEADS["image/png"]), ("c.html", b"<p>")):
        response = owner_client.get(artifact(session, name, data))
        assert response["Content-Type"] == "application/octet-stream"
        assert response["Content-Disposition"] == f'attachment; filename="{Path(name).name}"'
        assert is_sealed(response)
        assert content(response) == data


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("out/report.html", "report.html"),
        ("..\\..\\evil.exe", "evil.exe"),
        ("../../", "file"),
        ("a\r\nSet-Cookie: x=1", "a Set-Cookie: x=1"),
        ("safe\u202egnp.exe", "safegnp.exe"),
        (".hidden", "hidden"),
        ("报告.md", "报告.md"),
        ("", "file"),
        ("x" * 500, "x" * 150),
    ],
)
def test_a_file_name_neither_misleads_nor_leaves_its_folder(path: str, name: str) -> None:
    assert safe_name(path) == name


def test_an_odd_name_makes_no_odd_header(owner_client: Client, session: AgentSession) -> None:
    response = owner_client.get(artifact(session, 'q"uote\r\n\x01报告.md'))
    assert content(response) == SVG
    assert "\n" not in response["Content-Disposition"]


def test_files_of_others_are_404(
    owner: User, owner_client: Client, stranger_client: Client, session: AgentSession
) -> None:
    private = make_session(owner, visibility="private", audience=audience_of_user(owner.pk))
    for address in (attached(private, HEADS["image/png"]), artifact(private, "a.txt")):
        assert content(owner_client.get(address))
        assert stranger_client.get(address).status_code == 404
        through_another = address.replace(private.short_id, session.short_id)
        assert owner_client.get(through_another).status_code == 404


def test_files_need_a_signed_in_person(client: Client, session: AgentSession) -> None:
    assert client.get(artifact(session, "a.txt")).status_code == 302


def test_missing_bytes_are_404(owner_client: Client, session: AgentSession) -> None:
    row = Artifact.objects.create(
        session=session, path="gone", sha256="0" * 64, size=1, received_at=NOON
    )
    address = reverse("session_artifact", args=[session.short_id, row.pk])
    assert owner_client.get(address).status_code == 404
    assert owner_client.post(address).status_code == 405


def native_of(session: AgentSession) -> str:
    return reverse("session_native", args=[session.short_id])


def test_the_agents_own_file_is_given_as_it_was(
    owner_client: Client, stranger_client: Client, owner: User, tmp_path: Path
) -> None:
    talk = Talk("aaaaaaaa").turns(2).calls("toolu_1")
    path = talk.write(tmp_path)
    ingest(Wish(owner=owner, home=tmp_path, paths=[tmp_path], jobs=0))
    found = AgentSession.objects.get()
    path.unlink()
    response = owner_client.get(native_of(found))
    assert content(response) == talk.data()
    assert response["Content-Disposition"] == f'attachment; filename="{path.name}"'
    assert is_sealed(response)
    assert f'href="/sessions/{found.short_id}/native/"' in (
        owner_client.get(f"/sessions/{found.short_id}/").content.decode()
    )
    found.audience = audience_of_user(owner.pk)
    found.save()
    assert stranger_client.get(native_of(found)).status_code == 404
    assert owner_client.post(native_of(found)).status_code == 405


def test_with_its_subagents_it_is_an_archive(
    owner_client: Client, owner: User, tmp_path: Path
) -> None:
    talk = Talk("aaaaaaaa").turns(2).calls("toolu_1")
    paths = [talk.write(tmp_path)]
    paths.append(write_subagent(talk, subagent(talk, "one", "toolu_1"), tmp_path, "toolu_1"))
    paths.append(paths[-1].with_suffix(".meta.json"))
    ingest(Wish(owner=owner, home=tmp_path, paths=[tmp_path], jobs=0))
    response = owner_client.get(native_of(AgentSession.objects.get(kind="main")))
    assert is_sealed(response)
    with ZipFile(BytesIO(content(response))) as archive:
        found = {name: archive.read(name) for name in archive.namelist()}
    assert found == {path.relative_to(tmp_path).as_posix(): path.read_bytes() for path in paths}


def test_a_session_without_files_has_none_to_give(
    owner_client: Client, session: AgentSession
) -> None:
    assert owner_client.get(native_of(session)).status_code == 404
    page = owner_client.get(f"/sessions/{session.short_id}/").content.decode()
    assert "/native/" not in page
