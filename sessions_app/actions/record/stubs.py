"""Sessions of which only a joining record has told yet, and what becomes of them."""

from __future__ import annotations

from sessions_app.models import (
    AgentSession,
    IngestProblem,
    RawFile,
    Relation,
    SessionAlias,
    Usage,
)


def is_stub(session: AgentSession) -> bool:
    """Whether nothing but its alias names it: its own agent never told of it.

    Anything else that goes by that alias is a session of its own; a record that now speaks of
    another session leaves it as it is.
    """
    return (
        session.message_count == 0
        and SessionAlias.objects.filter(session=session, name=session.identity).exists()
    )


def merge(stub: AgentSession, session: AgentSession) -> None:
    """Move what hangs on a stub to the session that it turned out to be.

    The record that tells which one it is tells its facts, links and sums again.
    """
    Usage.objects.filter(session=stub, is_summary=True).delete()
    known = session.tag_links.values("tag")
    stub.tag_links.exclude(tag__in=known).update(session=session)
    stub.aliases.update(session=session)
    RawFile.objects.filter(session=stub).update(session=session)
    IngestProblem.objects.filter(session=stub).update(session=session)
    Relation.objects.filter(parent=stub).exclude(child=session).update(parent=session)
    name, protected = stub.name, stub.is_protected
    stub.delete()
    people = {"name": name} if name and not session.name else {}
    if people or protected:
        session.is_protected = session.is_protected or protected
        session.name = people.get("name", session.name)
        session.save(update_fields=["name", "is_protected"])
