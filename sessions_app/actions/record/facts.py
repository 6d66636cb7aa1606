"""What a record says about a session as a whole, and the status that follows from it."""

from __future__ import annotations

from datetime import datetime, timedelta

from sessions_app.actions.record.batch import Collector, Entry
from sessions_app.models import AgentSession
from sessions_app.records import (
    TURN_ABORTED,
    TURN_ENDED,
    TURN_FAILED,
    TURN_OPEN,
    SessionRecord,
)

QUIET = timedelta(minutes=30)  # after so long without a line a turn is over, well or badly

# The newest word wins; from a record that only joins (clinvk) only what is still unknown.
WORDS = ("work_dir", "git_branch", "repository_url", "agent_version", "current_task",
         "description", "error", "backend_session_id", "model")  # fmt: skip
NUMBERS = ("progress", "total_steps", "exit_code", "duration_seconds")
FIRST_WINS = {"work_dir", "repository_url"}


def apply_facts(entry: Entry, by: Collector) -> None:
    """Bring the session's row up to date with the record; what is not told changes nothing."""
    session, record = entry.session, entry.part.record
    for field in WORDS:
        value = getattr(record, field)
        keep = record.joins or field in FIRST_WINS
        if value and not (keep and getattr(session, field)):
            setattr(session, field, value)
    for field in NUMBERS:
        if getattr(record, field) is not None:
            setattr(session, field, getattr(record, field))
    if not session.host and not by.source:
        session.host = by.host
    if record.title and max(record.title_rank, 1) >= session.title_rank:
        session.title, session.title_rank = record.title, max(record.title_rank, 1)
    if record.prompt and not session.prompt:
        session.prompt = record.prompt
    if record.metadata:
        session.metadata = {**session.metadata, **record.metadata}
    _apply_source(session, entry, by)
    _apply_times(session, record, is_new=entry.is_new)


def _apply_source(session: AgentSession, entry: Entry, by: Collector) -> None:
    """The agent's own file names the source, whoever spoke of the session first."""
    record = entry.part.record
    if not record.joins:
        session.source = session.source if by.source else entry.source
        session.kind = record.kind
        session.turn = record.turn or session.turn
        if not session.root_key and entry.part.messages:
            session.root_key = entry.part.messages[0].key[:100]
    names = [message.model for message in entry.part.messages if message.model]
    names += [record.model] if record.model else []
    for name in dict.fromkeys(names):
        if name not in session.models_used:
            session.models_used = [*session.models_used, name][:50]


def _apply_times(session: AgentSession, record: SessionRecord, *, is_new: bool) -> None:
    if record.created_at and (is_new or record.created_at < session.created_at):
        session.created_at = record.created_at
    if record.last_active and (is_new or record.last_active > session.last_active):
        session.last_active = record.last_active
    session.last_active = max(session.last_active, session.created_at)


def settle_status(entry: Entry, now: datetime) -> str:
    """Set the status that the evidence gives; answers the reason, for the history."""
    session, record = entry.session, entry.part.record
    # A session's own file that states an end knows better than the last turn.
    states_end = not record.joins and record.status != AgentSession.Status.ACTIVE
    reason = ""
    if record.status and (states_end or not session.turn):
        session.status, reason = record.status, f"{entry.source} says so"
        if record.joins and session.status == AgentSession.Status.ACTIVE:
            session.status, reason = status_from_record(session, now)
    elif entry.is_new or not record.joins:  # what only joins is no sign of life
        session.status, reason = status_from_turn(session, now)
    over = session.status in (
        AgentSession.Status.COMPLETED, AgentSession.Status.ERROR, AgentSession.Status.CRASHED,
    )  # fmt: skip
    session.ended_at = session.last_active if over else None
    return reason


def status_from_turn(session: AgentSession, now: datetime) -> tuple[str, str]:
    """(status, reason) of a session that is read from a file."""
    status = AgentSession.Status
    if not session.turn and session.source == "clinvk":
        return status_from_record(session, now)
    if session.turn == TURN_FAILED:
        return status.ERROR, "the last turn failed"
    quiet = now - session.last_active > QUIET
    if not quiet:
        return status.ACTIVE, "lines in the last 30 minutes"
    if session.turn == TURN_OPEN:
        return status.CRASHED, "the last turn never ended, and 30 minutes of quiet"
    if session.turn == TURN_ABORTED:
        return status.PAUSED, "the last turn was interrupted, and 30 minutes of quiet"
    if session.turn == TURN_ENDED or session.message_count:
        return status.COMPLETED, "the last turn ended, and 30 minutes of quiet"
    return session.status, "nothing said yet"


def status_from_record(session: AgentSession, now: datetime) -> tuple[str, str]:
    """(status, reason) of a session of which only clinvk's record tells, and calls it active.

    clinvk states the end of every turn, so that one that stays active was cut off.
    """
    status = AgentSession.Status
    if now - session.last_active <= QUIET:
        return status.ACTIVE, "clinvk says so"
    if session.error or session.exit_code:
        return status.ERROR, "its record tells of a failure"
    if session.exit_code == 0:
        return status.COMPLETED, "its record tells exit code 0"
    if not session.prompt and not session.backend_session_id:
        return status.CREATED, "nothing was asked yet"
    return status.CRASHED, "its record never told of an end, and 30 minutes of quiet"
