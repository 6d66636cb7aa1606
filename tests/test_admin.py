from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import Permission
from django.db import connection
from django.db.models import Model
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from sessions_app.actions.names import new_short_id
from sessions_app.actions.prices import price_book
from sessions_app.models import (
    AgentSession,
    AuditEntry,
    IngestProblem,
    IngestRun,
    Membership,
    Message,
    ModelAlias,
    PriceOverride,
    Project,
    RawFile,
    SignInLink,
    Tag,
    Usage,
    User,
)
from tests.conftest import signed_in
from tests.factories import NOON, make_message, make_project, make_session, make_usage

INLINE = re.compile(r"<style|\sstyle=|\son[a-z]+=|<script(?![^>]*\b(?:src|type)=)", re.I)


@pytest.fixture
def boss(db: None) -> User:
    return User.objects.create_superuser("boss", "boss@example.com", "boss-password")


@pytest.fixture
def client(boss: User) -> Client:
    return signed_in(boss)


def session(owner: User) -> AgentSession:
    found = make_session(owner, project=make_project(new_short_id()), title="A title")
    make_message(found)
    return found


def problem(owner: User) -> IngestProblem:
    return IngestProblem.objects.create(
        collector=owner, path=new_short_id(), reason="cut", seen_at=NOON, session=session(owner)
    )


def raw_file(owner: User) -> RawFile:
    return RawFile.objects.create(
        collector=owner, path=new_short_id(), first_read_at=NOON, last_read_at=NOON,
        session=session(owner), reader_state=b"secret-state",
    )  # fmt: skip


def audit_entry(owner: User) -> AuditEntry:
    return AuditEntry.objects.create(at=NOON, actor=owner, actor_name="owner", action="look")


def link(owner: User) -> SignInLink:
    return SignInLink.objects.create(
        user=owner, digest=new_short_id() * 4, expires_at=NOON + timedelta(minutes=15)
    )


def run(owner: User) -> IngestRun:
    return IngestRun.objects.create(status="done", started_at=NOON, heartbeat_at=NOON)


def person(owner: User) -> User:
    return User.objects.create_user(new_short_id())


def price(owner: User) -> PriceOverride:
    return PriceOverride.objects.create(model=new_short_id(), input=1, output=2)


TABLES: dict[type[Model], Callable[[User], Model]] = {
    AgentSession: session,
    AuditEntry: audit_entry,
    IngestProblem: problem,
    IngestRun: run,
    ModelAlias: lambda owner: ModelAlias.objects.create(name=new_short_id(), model="gpt-5"),
    PriceOverride: price,
    Project: lambda owner: make_project(new_short_id()),
    RawFile: raw_file,
    SignInLink: link,
    Tag: lambda owner: Tag.objects.create(name=new_short_id()),
    Usage: lambda owner: make_usage(session(owner), new_short_id()),
    User: person,
}
tables = pytest.mark.parametrize("table", TABLES, ids=lambda table: table.__name__)


def url(table: type[Model], page: str, *keys: object) -> str:
    return reverse(f"admin:sessions_app_{table._meta.model_name}_{page}", args=keys)


def queries(client: Client, address: str) -> int:
    with CaptureQueriesContext(connection) as found:
        assert client.get(address).status_code == 200
    return len(found)


def test_every_registered_table_of_ours_is_tested_here() -> None:
    ours = {table for table in admin.site._registry if table._meta.app_label == "sessions_app"}
    assert ours == set(TABLES)
    assert Message not in ours


@tables
def test_ten_more_rows_need_no_more_queries(
    client: Client, owner: User, table: type[Model]
) -> None:
    TABLES[table](owner)
    TABLES[table](owner)
    few = queries(client, url(table, "changelist"))
    for _ in range(10):
        TABLES[table](owner)
    assert queries(client, url(table, "changelist")) == few <= 14


@tables
def test_a_row_opens_and_nothing_in_it_is_inline(
    client: Client, owner: User, table: type[Model]
) -> None:
    row = TABLES[table](owner)
    for address in (url(table, "changelist"), url(table, "change", row.pk)):
        response = client.get(address)
        assert response.status_code == 200
        assert "unsafe" not in response["Content-Security-Policy"]
        assert INLINE.findall(response.content.decode()) == []
    assert queries(client, url(table, "change", row.pk)) <= 12


@tables
def test_no_list_is_counted_as_a_whole(client: Client, owner: User, table: type[Model]) -> None:
    TABLES[table](owner)
    with CaptureQueriesContext(connection) as found:
        client.get(url(table, "changelist"))
    name = table._meta.db_table
    counts = [one["sql"] for one in found if "COUNT(" in one["sql"] and f'"{name}"' in one["sql"]]
    assert [sql for sql in counts if "LIMIT" not in sql] == []


@pytest.mark.parametrize(
    "table", [table for table in TABLES if table not in (ModelAlias, PriceOverride)]
)
def test_nothing_can_be_deleted(client: Client, owner: User, table: type[Model]) -> None:
    row = TABLES[table](owner)
    assert client.post(url(table, "delete", row.pk), {"post": "yes"}).status_code == 403
    data = {"action": "delete_selected", "_selected_action": [row.pk], "post": "yes"}
    client.post(url(table, "changelist"), data)
    assert table._default_manager.filter(pk=row.pk).exists()
    assert Message.objects.count() == AgentSession.objects.count()


@pytest.mark.parametrize("table", [AuditEntry, SignInLink, IngestRun, RawFile, Usage])
def test_records_are_only_looked_at(client: Client, owner: User, table: type[Model]) -> None:
    row = TABLES[table](owner)
    assert client.post(url(table, "change", row.pk), {}).status_code == 403
    assert client.get(url(table, "add")).status_code == 403


def test_secrets_are_not_shown(client: Client, owner: User) -> None:
    shown = client.get(url(SignInLink, "change", link(owner).pk)).content.decode()
    assert SignInLink.objects.get().digest not in shown and "digest" not in shown
    assert b"secret-state" not in client.get(url(RawFile, "change", raw_file(owner).pk)).content


@pytest.mark.parametrize(
    "query",
    ["q=title", "status__exact=active", "backend=claude", "kind__exact=main", "p=2&o=-8"],
)
def test_sessions_are_found(client: Client, owner: User, query: str) -> None:
    session(owner)
    response = client.get(f"{url(AgentSession, 'changelist')}?{query}")
    assert response.status_code in (200, 302)


def changed(client: Client, row: AgentSession, **fields: Any) -> None:
    data = {"owner": row.owner_id, "visibility": row.visibility, "project": row.project_id or ""}
    response = client.post(url(AgentSession, "change", row.pk), {**data, **fields})
    assert response.status_code == 302
    row.refresh_from_db()


def test_who_may_see_a_session_follows_what_is_changed(
    client: Client, owner: User, teammate: User
) -> None:
    row = make_session(owner, title="Kept", total_tokens=7)
    changed(client, row, visibility="private", title="Forged", total_tokens=9)
    assert (row.title, row.total_tokens) == ("Kept", 7)
    assert not AgentSession.objects.visible_to(teammate).exists()
    changed(client, row, owner=teammate.pk)
    assert AgentSession.objects.visible_to(teammate).exists()
    entry = AuditEntry.objects.get(target=row.short_id, details__owner="teammate")
    assert (entry.actor_name, entry.action) == ("boss", "session.place")


def test_closing_a_project_hides_its_sessions_from_everybody_else(
    client: Client, owner: User, teammate: User, stranger: User
) -> None:
    project = make_project()
    Membership.objects.create(project=project, user=owner, role="maintainer")
    make_session(owner, project=project, visibility="project", audience=0)
    theirs = make_session(stranger, project=project, visibility="project", audience=0)
    address = url(Project, "change", project.pk)
    form = {
        "name": "webshop",
        "membership_set-TOTAL_FORMS": "1",
        "membership_set-INITIAL_FORMS": "0",
        "membership_set-0-user": teammate.pk,
        "membership_set-0-role": "member",
    }
    assert client.post(address, form).status_code == 302
    assert Membership.objects.filter(user=teammate).exists()
    assert AgentSession.objects.visible_to(teammate).exists()
    assert AgentSession.objects.visible_to(owner).exists()
    # Who is no member keeps what is his own, and shows it to nobody.
    assert list(AgentSession.objects.visible_to(stranger)) == [theirs]
    assert not AgentSession.objects.visible_to(teammate).filter(pk=theirs.pk).exists()


def test_a_price_set_here_holds_at_once(client: Client) -> None:
    form = {"model": "House-*", "input": "1.25", "output": "10", "cache_read": "0.125"}
    assert client.post(url(PriceOverride, "add"), form).status_code == 302
    row = PriceOverride.objects.get()
    assert (row.model, row.cache_read, row.cache_write) == ("house-*", Decimal("0.125"), None)
    assert price_book().knows("house-large")
    assert 'value="1.25"' in client.get(url(PriceOverride, "change", row.pk)).content.decode()
    alias = {"name": "our-proxy", "model": "house-large"}
    assert client.post(url(ModelAlias, "add"), alias).status_code == 302
    assert price_book().knows("our-proxy")
    data = {"action": "delete_selected", "_selected_action": [row.pk], "post": "yes"}
    assert client.post(url(PriceOverride, "changelist"), data).status_code == 302
    assert not price_book().knows("house-large")
    assert AuditEntry.objects.filter(action__startswith="price.").count() == 3


@pytest.mark.parametrize(
    "wrong",
    [{"input": "-1"}, {"input": ""}, {"output": "much"}, {"model": " "}, {"input": "1" * 12}],
    ids=str,
)
def test_a_price_that_is_none_is_refused(client: Client, wrong: dict[str, str]) -> None:
    form = {"model": "house", "input": "1", "output": "2"} | wrong
    assert client.post(url(PriceOverride, "add"), form).status_code == 200
    assert not PriceOverride.objects.exists()


def test_an_alias_of_an_unknown_model_is_refused(client: Client) -> None:
    form = {"name": "our-proxy", "model": "nobody-knows-it"}
    page = client.post(url(ModelAlias, "add"), form).content.decode()
    assert "No price is known for this model." in page


def test_problems_are_dismissed(client: Client, owner: User) -> None:
    row, other = problem(owner), problem(owner)
    data = {"action": "dismiss_problems", "_selected_action": [row.pk]}
    response = client.post(url(IngestProblem, "changelist"), data, follow=True)
    assert "1 problem dismissed." in response.content.decode()
    assert list(IngestProblem.objects.filter(dismissed_at=None)) == [other]


def test_staff_see_no_more_sessions_here_than_elsewhere(owner: User, teammate: User) -> None:
    secret = make_session(owner, visibility="private", audience=-owner.pk)
    make_usage(secret, "u1")
    teammate.is_staff = True
    teammate.save()
    teammate.user_permissions.set(Permission.objects.filter(codename__startswith="view_"))
    client = signed_in(teammate)
    assert client.get(url(AgentSession, "change", secret.pk)).status_code == 302
    for table in (AgentSession, Usage):
        response = client.get(url(table, "changelist"))
        assert response.context["cl"].result_count == 0


def test_only_staff_come_in_and_by_the_one_door(owner_client: Client, db: None) -> None:
    assert owner_client.get("/admin/").status_code in (302, 403)
    response = Client().get("/admin/login/?next=/admin/")
    assert response["Location"].startswith("/accounts/login/")
