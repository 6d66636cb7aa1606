"""The tables, one module per noun."""

from __future__ import annotations

from sessions_app.models.audit import AuditEntry
from sessions_app.models.exclude import ExcludeRule
from sessions_app.models.ingest import (
    IngestProblem,
    IngestRun,
    PushedFile,
    RawChunk,
    RawFile,
    RawPart,
)
from sessions_app.models.lease import SessionLease
from sessions_app.models.message import Attachment, Message, ToolCall
from sessions_app.models.price import ModelAlias, PriceEdition, PriceOverride
from sessions_app.models.project import Membership, Project
from sessions_app.models.saved import Artifact, Snapshot, StoredFile
from sessions_app.models.search import SavedSearch
from sessions_app.models.session import AgentSession, Relation, SessionAlias, StatusChange
from sessions_app.models.tag import SessionTag, Tag
from sessions_app.models.token import ApiToken, StoredAnswer
from sessions_app.models.usage import SessionUsage, Usage, UsageRollup
from sessions_app.models.user import SignInLink, User

__all__ = [
    "AgentSession",
    "ApiToken",
    "Artifact",
    "Attachment",
    "AuditEntry",
    "ExcludeRule",
    "IngestProblem",
    "IngestRun",
    "Membership",
    "Message",
    "ModelAlias",
    "PriceEdition",
    "PriceOverride",
    "Project",
    "PushedFile",
    "RawChunk",
    "RawFile",
    "RawPart",
    "Relation",
    "SavedSearch",
    "SessionAlias",
    "SessionLease",
    "SessionTag",
    "SessionUsage",
    "SignInLink",
    "Snapshot",
    "StatusChange",
    "StoredAnswer",
    "StoredFile",
    "Tag",
    "ToolCall",
    "Usage",
    "UsageRollup",
    "User",
]
