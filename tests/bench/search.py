"""How long a search takes as a full page, whether all needles are found, and the recall."""

from __future__ import annotations

import random
import re
import statistics
import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple
from urllib.parse import quote

from django.db import connection
from django.test import Client

from sessions_app import words
from sessions_app.actions import search_tables
from sessions_app.actions.people import first_admin
from sessions_app.models import AgentSession, Message, ToolCall
from sessions_app.packing import unpack_text
from sessions_app.queries.search import grammar
from sessions_app.queries.search.hits import CAP, find
from sessions_app.serving import collect_static

REQUESTS, WARM_UP = 40, 3
TERMS = 200
CHINESE = re.compile("[\u4e00-\u9fff]{4,}")


class Timed(NamedTuple):
    query: str
    p50: float  # milliseconds
    p95: float
    cpu: float
    hits: str


class Recall(NamedTuple):
    terms: int
    found: int
    there: int


def measure(queries: Iterable[str]) -> Iterator[Timed]:
    """As the first admin, full pages, in this process."""
    collect_static()
    user = first_admin()
    client = Client(SERVER_NAME="localhost")
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    for query in queries:
        address = f"/search/?q={quote(query)}"
        for _ in range(WARM_UP):
            assert client.get(address).status_code == 200, query
        wall, cpu = [], []
        for _ in range(REQUESTS):
            started = time.perf_counter(), time.process_time()
            client.get(address)
            wall.append(1000 * (time.perf_counter() - started[0]))
            cpu.append(1000 * (time.process_time() - started[1]))
        p95 = statistics.quantiles(wall, n=20)[-1]
        hits = count(query)
        shown = f"{hits:,}" if hits <= CAP else f"{CAP:,}+"
        yield Timed(query, statistics.median(wall), p95, statistics.median(cpu), shown)


def count(query: str) -> int:
    """Hits of a query for somebody who sees everything, as far as they are counted."""
    sessions = AgentSession.objects.visible_to(first_admin())
    return find(grammar.read(query, ()), sessions).total


def needles(truth: Mapping[str, Any]) -> Iterator[tuple[str, int, int]]:
    """(query, hits that there are, hits that were found) of what is planted in an archive."""
    for name, needle in truth.get("needles", {}).items():
        there = needle["records"] + needle.get("records_in_tool_results", 0)
        query = f'"{needle["text"]}"' if name == "phrase" else needle["text"]
        if there <= CAP:
            yield query, there, count(query)


def recall(seed: int = 1) -> Recall:
    """Of 200 random terms, against a scan of all stored text."""
    texts = list(stored_texts())
    terms = _random_terms(texts, random.Random(seed))
    there = _scan(texts, terms)
    found = 0
    for term, rows in there.items():
        found += min(count(f'"{term}"'), rows, CAP)
    return Recall(len(there), found, sum(min(rows, CAP) for rows in there.values()))


def stored_texts() -> Iterator[list[str]]:
    """The texts of each message and each call."""
    for text, thinking in Message.objects.values_list("text", "thinking").iterator():
        yield [text, thinking]
    columns = ("input_preview", "input_packed", "output_preview", "output_packed")
    for given, given_packed, told, told_packed in ToolCall.objects.values_list(*columns).iterator():
        yield [words.unescaped(unpack_text(given, given_packed)), unpack_text(told, told_packed)]


def _random_terms(texts: list[list[str]], chance: random.Random) -> list[str]:
    terms: set[str] = set()
    chinese = [text for row in texts for text in row if CHINESE.search(text)]
    for _ in range(20 * TERMS):
        if not chinese or len(terms) >= TERMS // 2:
            break
        run = chance.choice(CHINESE.findall(chance.choice(chinese)))
        length = chance.randint(1, 4)
        start = chance.randrange(len(run) - length + 1)
        terms.add(run[start : start + length])
    for _ in range(100 * TERMS):
        if len(terms) >= TERMS:
            break
        tokens = words.PLAIN_TOKEN.findall(" ".join(chance.choice(texts)).lower()[:20_000])
        if tokens:
            terms.add(chance.choice(tokens))
    return sorted(terms)


def _scan(texts: list[list[str]], terms: list[str]) -> dict[str, int]:
    """How many rows hold each term, without any index: Chinese as text, words as words."""
    found = dict.fromkeys(terms, 0)
    plain = {term for term in terms if term.isascii()}
    others = [term for term in terms if not term.isascii()]
    for row in texts:
        for term in plain & _words(row):
            found[term] += 1
        for term in others:
            found[term] += any(term in text for text in row)
    return found


def _words(row: list[str]) -> set[str]:
    return {token for text in row for token in words.tokens(text)}


def index_size() -> int:
    """Bytes that the search index takes."""
    names = list(search_tables.INDEXES)
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            like = " OR ".join("name LIKE %s" for _ in names)
            cursor.execute(
                f"SELECT COALESCE(SUM(pgsize), 0) FROM dbstat WHERE {like}",
                [f"{name}%" for name in names],
            )
        else:
            sizes = " + ".join(f"pg_total_relation_size('{name}')" for name in names)
            cursor.execute(f"SELECT {sizes}")
        return int(cursor.fetchone()[0])
