"""The search index, and what keeps account of the rows that it must be told of.

Triggers do the accounting, whoever writes: what a row said before it changed or went is kept
until the end of the transaction, because SQLite's index forgets a text only when it is told it.
"""

from __future__ import annotations

from typing import Any

from django.db import migrations

MESSAGE, CALL, SESSION, TAG, ARTIFACT = (
    "sessions_app_message", "sessions_app_toolcall", "sessions_app_agentsession",
    "sessions_app_sessiontag", "sessions_app_artifact",
)  # fmt: skip
OF_MESSAGE = ("text", "thinking")
OF_CALL = ("input_preview", "input_packed", "output_preview", "output_packed")
OF_SESSION = ("name", "title", "prompt", "description", "work_dir", "git_branch")
INDEXES = ("search_message", "search_call", "search_session")

SQLITE_TABLES = [
    *(
        f"CREATE VIRTUAL TABLE {name} USING fts5(body, parts, content='', columnsize=0,"
        " tokenize='unicode61 remove_diacritics 0')"
        for name in INDEXES
    ),
    # Larger hash, fewer segments while an archive is loaded.
    *(f"INSERT INTO {name}({name}, rank) VALUES ('hashsize', 33554432)" for name in INDEXES),
    # kind: 0 message, 1 call, 2 session, as everywhere below.
    "CREATE TABLE search_state (kind INTEGER PRIMARY KEY, upto INTEGER NOT NULL,"
    " version INTEGER NOT NULL)",
    "INSERT INTO search_state (kind, upto, version) VALUES (0, 0, 1), (1, 0, 1), (2, 0, 1)",
    "CREATE TABLE search_pending (id INTEGER PRIMARY KEY, kind INTEGER NOT NULL,"
    " row_id INTEGER NOT NULL, had INTEGER NOT NULL, a, b, c, d)",
    "CREATE TABLE search_facts (session_id INTEGER PRIMARY KEY, body TEXT NOT NULL,"
    " parts TEXT NOT NULL)",
]


def _sqlite_rows(kind: int, table: str, columns: tuple[str, ...]) -> list[str]:
    """New rows beyond `upto` need no note: they are read when it gets there."""
    old = ", ".join(f"OLD.{column}" for column in columns)
    nothing = ", ".join("NULL" for _ in columns)
    names = ", ".join("abcd"[: len(columns)])
    known = f"(SELECT upto FROM search_state WHERE kind = {kind})"
    changed = " OR ".join(f"OLD.{column} IS NOT NEW.{column}" for column in columns)

    def note(row: str, had: int, values: str) -> str:
        return (
            f"BEGIN INSERT INTO search_pending (kind, row_id, had, {names})"
            f" VALUES ({kind}, {row}.id, {had}, {values}); END"
        )

    return [
        f"CREATE TRIGGER {table}_search_new AFTER INSERT ON {table} WHEN NEW.id <= {known} "
        + note("NEW", 0, nothing),
        f"CREATE TRIGGER {table}_search_changed AFTER UPDATE OF {', '.join(columns)} ON {table}"
        f" WHEN {changed} " + note("OLD", 1, old),
        f"CREATE TRIGGER {table}_search_gone AFTER DELETE ON {table} " + note("OLD", 1, old),
    ]


def _sqlite_facts() -> list[str]:
    changed = " OR ".join(f"OLD.{column} IS NOT NEW.{column}" for column in OF_SESSION)
    events = [
        (SESSION, "new", "INSERT", "", "NEW.id"),
        (SESSION, "changed", f"UPDATE OF {', '.join(OF_SESSION)}", f"WHEN {changed}", "NEW.id"),
        (SESSION, "gone", "DELETE", "", "OLD.id"),
        *((table, "new", "INSERT", "", "NEW.session_id") for table in (TAG, ARTIFACT)),
        *((table, "gone", "DELETE", "", "OLD.session_id") for table in (TAG, ARTIFACT)),
    ]
    return [
        f"CREATE TRIGGER {table}_search_{name} AFTER {event} ON {table} {when} BEGIN"
        f" INSERT INTO search_pending (kind, row_id, had) VALUES (2, {row}, 0); END"
        for table, name, event, when, row in events
    ]


POSTGRES_TABLES = [
    *(
        f"CREATE TABLE {name} (row_id bigint NOT NULL, chunk int NOT NULL,"
        " body tsvector NOT NULL, PRIMARY KEY (row_id, chunk))"
        for name in INDEXES
    ),
    *(f"CREATE INDEX {name}_body ON {name} USING gin (body)" for name in INDEXES),
    "CREATE TABLE search_state (kind int PRIMARY KEY, version int NOT NULL)",
    "INSERT INTO search_state (kind, version) VALUES (0, 1), (1, 1), (2, 1)",
    "CREATE TABLE search_pending (kind int NOT NULL, row_id bigint NOT NULL,"
    " PRIMARY KEY (kind, row_id))",
]


def _postgres_rows(kind: int, table: str, columns: tuple[str, ...]) -> list[str]:
    """New rows at once for each statement, since an archive brings them by the thousand."""
    index = INDEXES[kind]
    pending = "INSERT INTO search_pending (kind, row_id)"
    return [
        f"CREATE FUNCTION {table}_search_new() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        f" {pending} SELECT {kind}, id FROM fresh ON CONFLICT DO NOTHING; RETURN NULL; END $$",
        f"CREATE TRIGGER search_new AFTER INSERT ON {table} REFERENCING NEW TABLE AS fresh"
        f" FOR EACH STATEMENT EXECUTE FUNCTION {table}_search_new()",
        f"CREATE FUNCTION {table}_search_changed() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        f" {pending} VALUES ({kind}, NEW.id) ON CONFLICT DO NOTHING; RETURN NULL; END $$",
        f"CREATE TRIGGER search_changed AFTER UPDATE OF {', '.join(columns)} ON {table}"
        f" FOR EACH ROW WHEN ({_differs(columns)})"
        f" EXECUTE FUNCTION {table}_search_changed()",
        f"CREATE FUNCTION {table}_search_gone() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        f" DELETE FROM {index} WHERE row_id IN (SELECT id FROM gone); RETURN NULL; END $$",
        f"CREATE TRIGGER search_gone AFTER DELETE ON {table} REFERENCING OLD TABLE AS gone"
        f" FOR EACH STATEMENT EXECUTE FUNCTION {table}_search_gone()",
        f"CREATE FUNCTION {table}_search_empty() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        f" DELETE FROM {index}; DELETE FROM search_pending WHERE kind = {kind};"
        " RETURN NULL; END $$",
        f"CREATE TRIGGER search_empty AFTER TRUNCATE ON {table}"
        f" FOR EACH STATEMENT EXECUTE FUNCTION {table}_search_empty()",
    ]


def _differs(columns: tuple[str, ...]) -> str:
    return " OR ".join(f"OLD.{column} IS DISTINCT FROM NEW.{column}" for column in columns)


def _postgres_belongings(table: str) -> list[str]:
    return [
        f"CREATE FUNCTION {table}_search() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        " INSERT INTO search_pending (kind, row_id) VALUES (2, CASE TG_OP WHEN 'DELETE'"
        " THEN OLD.session_id ELSE NEW.session_id END) ON CONFLICT DO NOTHING;"
        " RETURN NULL; END $$",
        f"CREATE TRIGGER search AFTER INSERT OR DELETE ON {table}"
        f" FOR EACH ROW EXECUTE FUNCTION {table}_search()",
    ]


def _statements(vendor: str) -> list[str]:
    if vendor == "sqlite":
        return [
            *SQLITE_TABLES, *_sqlite_rows(0, MESSAGE, OF_MESSAGE),
            *_sqlite_rows(1, CALL, OF_CALL), *_sqlite_facts(),
        ]  # fmt: skip
    return [
        *POSTGRES_TABLES, *_postgres_rows(0, MESSAGE, OF_MESSAGE),
        *_postgres_rows(1, CALL, OF_CALL), *_postgres_rows(2, SESSION, OF_SESSION),
        *_postgres_belongings(TAG), *_postgres_belongings(ARTIFACT),
    ]  # fmt: skip


def create(apps: Any, schema_editor: Any) -> None:
    for statement in _statements(schema_editor.connection.vendor):
        schema_editor.execute(statement, params=None)


def drop(apps: Any, schema_editor: Any) -> None:
    """In turn: triggers, then the functions of PostgreSQL, then tables."""
    is_sqlite = schema_editor.connection.vendor == "sqlite"
    for statement in _statements(schema_editor.connection.vendor)[::-1]:
        words = statement.split()
        if words[:2] == ["CREATE", "TRIGGER"]:
            table = "" if is_sqlite else " ON " + words[words.index("ON") + 1]
            schema_editor.execute(f"DROP TRIGGER {words[2]}{table}", params=None)
        elif words[:2] == ["CREATE", "FUNCTION"]:
            schema_editor.execute(f"DROP FUNCTION {words[2]}", params=None)
        elif words[:2] in (["CREATE", "TABLE"], ["CREATE", "VIRTUAL"]):
            name = words[3] if words[1] == "VIRTUAL" else words[2]
            schema_editor.execute(f"DROP TABLE {name}", params=None)


class Migration(migrations.Migration):
    dependencies = [("sessions_app", "0007_relation_until")]
    operations = [migrations.RunPython(create, drop)]
