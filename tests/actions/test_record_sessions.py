"""Which session a record speaks of, and what it says about it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from sessions_app.models import AgentSession, Message, SessionAlias, SessionTag, Tag, Usage, User
from sessions_app.records import (
    TITLE_CUSTOM,
    TITLE_PROMPT,
    TITLE_RECORD,
    RelationRecord,
    SessionRecord,
    UsageRecord,
)
from tests.actions.conftest import START, Recorder, billed, only_session, said, told

pytestmark = pytest.mark.django_db


def joining(identity: str, alias: str = "clinvk:1", **more: Any) -> SessionRecord:
    """clinvk's record; without a backend id it goes by its alias."""
    total = UsageRecord(alias, input=500, summary=True, at=START)
    plain: dict[str, Any] = {"joins": True, "alias": alias, "usages": [total]}
    plain["backend_session_id"] = "" if identity == alias else identity
    return SessionRecord("clinvk", "claude", identity, **{**plain, **more})


def full(identity: str = "native-1", **more: Any) -> SessionRecord:
    return told(identity, messages=[said(f"{identity}-m1")], usages=[billed(identity)], **more)


def state() -> dict[str, tuple[Any, ...]]:
    names = ("identity", "source", "message_count", "total_tokens")
    return {row[0]: row[1:] for row in AgentSession.objects.values_list(*names)}


@pytest.mark.parametrize(
    "order",
    [
        [joining("clinvk:1"), joining("native-1"), full()],
        [joining("clinvk:1"), full(), joining("native-1")],
        [full(), joining("clinvk:1"), joining("native-1")],
        [joining("native-1"), full()],
        [full(), joining("native-1")],
    ],
)
def test_a_joining_record_ends_with_the_agents_session(
    tell: Recorder, order: list[SessionRecord]
) -> None:
    for record in order:
        tell(record)
    assert state() == {"native-1": ("claude-code", 1, 110)}
    assert SessionAlias.objects.get(name="clinvk:1").session == only_session()
    assert only_session().backend_session_id == "native-1"


@pytest.mark.parametrize("known", [True, False])
def test_a_record_that_speaks_of_another_session_leaves_the_first_alone(
    tell: Recorder, known: bool
) -> None:
    """`clinvk resume` on a backend that gives every run a new id."""
    tell(full("native-1"))
    tell(joining("native-1"))
    if known:
        tell(full("native-2"))
    tell(joining("native-2"))
    tokens = 110 if known else 500
    assert state() == {
        "native-1": ("claude-code", 1, 110),
        "native-2": ("claude-code" if known else "clinvk", int(known), tokens),
    }
    assert SessionAlias.objects.get().session.identity == "native-2"
    assert Message.objects.filter(session__identity="native-1").count() == 1


def test_what_people_did_to_a_stub_goes_with_it(tell: Recorder) -> None:
    tell(joining("clinvk:1", tags=["from clinvk"]))
    stub = only_session()
    AgentSession.objects.filter(pk=stub.pk).update(name="mine", is_protected=True)
    stub.tag_links.create(tag=Tag.objects.create(name="by hand"))
    tell(full())
    tell(joining("native-1"))
    session = only_session()
    assert (session.name, session.is_protected) == ("mine", True)
    assert set(session.tags.values_list("name", flat=True)) == {"from clinvk", "by hand"}


def test_a_side_file_makes_no_session(tell: Recorder) -> None:
    named = told("native-1", joins=True, only_if_known=True, title="Named", title_rank=TITLE_RECORD)
    tell(named)
    assert AgentSession.objects.count() == 0
    tell(full())
    status = only_session().status
    tell(named)
    assert (only_session().title, only_session().status) == ("Named", status)


def test_a_weaker_title_never_replaces_a_stronger_one(tell: Recorder) -> None:
    titles = [("a", TITLE_PROMPT), ("b", TITLE_CUSTOM), ("c", TITLE_RECORD), ("d", TITLE_CUSTOM)]
    shown = []
    for title, rank in titles:
        tell(told(title=title, title_rank=rank))
        shown.append(only_session().title)
    assert shown == ["a", "b", "b", "d"]


def test_a_wrong_clock_never_makes_a_session_fresh(tell: Recorder) -> None:
    future = datetime(2101, 1, 1, tzinfo=UTC)
    late = said("m2")
    late.at = future
    tell(told(last_active=future, messages=[said("m1"), late]))
    assert only_session().last_active == START
    tell(told(created_at=future, last_active=future, messages=[late]))
    assert (only_session().last_active, only_session().created_at) == (START, START)
    tell(told("only wrong", created_at=future, last_active=future))
    lost = AgentSession.objects.get(identity="only wrong")
    assert abs(lost.last_active - datetime.now(UTC)) < timedelta(minutes=1)


def test_over_long_and_odd_facts_fit(tell: Recorder) -> None:
    long = "长" * 5000
    tell(told(
        long, title=long, prompt=long, description=long * 10, error=long * 10, model=long,
        work_dir="/" + long, git_branch=long, repository_url="https://example.com/" + long,
        agent_version=long, current_task=long, tags=[long, "\0", " ", *map(str, range(200))],
        progress=7.5, total_steps=-1, exit_code=2**40, duration_seconds=float("inf"),
        metadata={"deep": [[[long] * 90]], "many": {str(n): long for n in range(50)}},
        relations=[RelationRecord("fork", long + "\0", long)], alias=long,
    ))  # fmt: skip
    session = only_session()
    assert (session.progress, session.exit_code, session.duration_seconds) == (None, None, None)
    assert len(str(session.metadata)) < 70_000
    assert session.tag_links.count() <= 100


def test_a_path_keeps_its_spaces_and_a_url_loses_its_password(tell: Recorder) -> None:
    url = "https://dev:ghp_secret@example.com/team/api.git"
    tell(told(work_dir="/home/dev/my  project ", repository_url=url))
    session = only_session()
    assert session.work_dir == "/home/dev/my  project "
    assert session.repository_url == "https://example.com/team/api.git"
    assert session.project is not None and session.project.key == "example.com/team/api"


def test_names_that_differ_late_or_in_spaces_are_two_sessions(tell: Recorder) -> None:
    names = [
        "a b",
        "a  b",
        "x" * 500 + "1",
        "x" * 500 + "2",
        "报告" * 200 + "1",
        "报告" * 200 + "2",
    ]
    for name in names:
        tell(told(name), path=f"/home/dev/{names.index(name)}")
    assert AgentSession.objects.count() == len(names)


def test_default_tags_name_the_owner(tell: Recorder, owner: User, settings: Any) -> None:
    settings.SESSIONS_DEFAULT_TAGS = ["by-${USER}", "all"]
    User.objects.filter(pk=owner.pk).update(username="o" * 150)
    owner.refresh_from_db()
    tell(told(tags=["own", "own"]))
    session = only_session()
    assert sorted(session.tags.values_list("name", flat=True))[0] == "all"
    assert session.tag_links.count() == 3
    session.tag_links.filter(tag__name="all").delete()
    tell(told(tags=["own"]))  # defaults are for new sessions
    assert session.tag_links.count() == 2


def test_telling_tags_again_writes_nothing(tell: Recorder) -> None:
    tell(told(tags=["a", "b"]))
    before = list(SessionTag.objects.values_list("pk", flat=True))
    tell(told(tags=["b", "a"]))
    assert list(SessionTag.objects.values_list("pk", flat=True)) == before


def test_a_record_may_name_itself_as_its_parent(tell: Recorder) -> None:
    own = RelationRecord("fork", "native-1")
    by_alias = RelationRecord("fork", "clinvk:1")
    tell(full(relations=[own]), joining("native-1", relations=[by_alias]))
    tell(joining("native-1", relations=[by_alias]))
    assert only_session().parent_links.count() == 0


def test_usage_outlives_what_a_rewritten_file_no_longer_holds(tell: Recorder) -> None:
    tell(told(messages=[said("m1")], usages=[billed("r1")], prompt="Old", title="Old",
              title_rank=TITLE_PROMPT))  # fmt: skip
    tell(told(messages=[said("m2")], usages=[billed("r2")], prompt="New"), replace=True)
    session = only_session()
    assert (session.message_count, session.total_tokens, session.prompt) == (1, 110, "New")
    assert session.title == ""
    assert Usage.objects.filter(session=session).count() == 2


def test_message_ids_survive_a_replacement_in_several_parts(tell: Recorder) -> None:
    keys = [f"m{n}" for n in range(6)]
    tell(told(messages=[said(key) for key in keys]))
    ids = dict(Message.objects.values_list("key", "pk"))
    by = tell.collector()
    tell(told(messages=[said(key) for key in [*keys[:2], "new"]]), by=by, replace=True)
    tell(told(messages=[said(key) for key in keys[3:]]), by=by)
    after = dict(Message.objects.values_list("key", "pk"))
    assert after == {key: ids[key] for key in [*keys[:2], *keys[3:]]} | {"new": after["new"]}
    assert after["new"] not in ids.values()
