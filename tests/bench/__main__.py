"""`python -m tests.bench`: reads an archive into a scratch place, asks for pages, prints tables."""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import django

from tests.bench import append, ingest, peer, place
from tests.bench.corpus import write_corpus
from tests.bench.place import SAMPLES


def main() -> int:
    """0 when everything that was found equals the truth of the archive."""
    options = _options()
    home = place.make(options.scratch)
    try:
        truth = {} if options.agents else _archive(options, home)
        django.setup()
        if options.agents:
            return _report_agents(options.agents)
        if options.peer:
            heads = ("", "ours", "agentsview", "times better")
            _print("Beside agentsview", heads, peer.measure(home, options.peer))
            return 0
        _print("Ingest", ("(whole commands)", ""), ingest.measure(home, options.jobs))
        equal = _report_truth(truth)
        if not options.ingest_only:
            _report_pages()
            equal = _report_search(truth) and equal
            _print("Appending", append.HEADS, append.rows(append.measure()))
        return 0 if equal else 1
    finally:
        if options.keep:
            print(f"\nKept: {home.parent}")
        else:
            shutil.rmtree(home.parent)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--megabytes", type=float, default=60, help="size of the made archive")
    parser.add_argument("--sessions", type=int, help="how many; default: one for each 30 kB")
    parser.add_argument("--home", type=Path, help="an existing archive instead, read only")
    parser.add_argument("--jobs", help="of ingest_sessions")
    parser.add_argument("--ingest-only", action="store_true", help="no pages, no appending")
    parser.add_argument(
        "--peer", nargs="?", const="agentsview", metavar="PROGRAM",
        help="only: ingest beside agentsview, in turn (from PyPI: pip install agentsview)",
    )  # fmt: skip
    parser.add_argument(
        "--agents", nargs="?", type=Path, const=SAMPLES, metavar="FOLDER",
        help="only: every agent's samples through the ingest, beside what is in them",
    )  # fmt: skip
    parser.add_argument("--scratch", type=Path, help="where to work; default: the system's place")
    parser.add_argument("--keep", action="store_true", help="leave the scratch place")
    return parser.parse_args()


def _archive(options: argparse.Namespace, home: Path) -> dict[str, Any]:
    """Fill the home; answers what is in it."""
    if options.home is None:
        return write_corpus(home, options.megabytes, options.sessions)
    place.borrow(options.home, home)
    file = options.home / "truth.json"
    found: dict[str, Any] = json.loads(file.read_text()) if file.exists() else {}
    return found


def _report_truth(truth: dict[str, Any]) -> bool:
    from tests.bench.truth import compare

    compared = list(compare(truth))
    lines = [
        (name, f"{found:,}", f"{wanted:,}", "equal" if found == wanted else "NOT EQUAL")
        for name, wanted, found in compared
    ]
    _print("Truth", ("", "found", "in the archive", ""), lines)
    return all(found == wanted for _, wanted, found in compared)


def _report_agents(folder: Path) -> int:
    """0 when everything is equal, or there is a reason why it is not."""
    from django.core.management import call_command

    from tests.bench import agents

    call_command("migrate", verbosity=0)
    compared = agents.measure(folder)
    _print("Agent by agent (equal/told)", ("", *agents.WHAT), agents.table(compared))
    found = agents.differences(compared)
    if found:
        _print("Not equal", ("case", "session", "", "told", "stored", "because"), found)
    return 0 if all(line[-1] for line in found) else 1


def _report_pages() -> None:
    from tests.bench.pages import measure

    rows = [
        (
            page.name,
            *(f"{figure:.1f}" for figure in (page.p50, page.p95, page.cpu)),
            f"{page.queries}",
            f"{page.size:,}",
        )
        for page in measure()
    ]
    _print("Pages", ("", "p50 ms", "p95 ms", "CPU ms", "queries", "bytes"), rows)


def _report_search(truth: dict[str, Any]) -> bool:
    """Whether every needle was found, as often as it is there."""
    from tests.bench import search

    needles = list(search.needles(truth))
    _print("Needles", ("", "there", "found"), [(q, f"{a:,}", f"{b:,}") for q, a, b in needles])
    queries = [needle["text"] for needle in truth.get("needles", {}).values()] or ["the", "数据"]
    rows = [
        (item.query, *(f"{figure:.1f}" for figure in (item.p50, item.p95, item.cpu)), item.hits)
        for item in search.measure(queries)
    ]
    _print("Search pages", ("", "p50 ms", "p95 ms", "CPU ms", "hits"), rows)
    recall = search.recall()
    facts = [
        ("recall", f"{recall.found:,} of {recall.there:,} ({recall.terms} terms)"),
        ("index", f"{search.index_size():,} bytes"),
    ]
    _print("Search", ("", ""), facts)
    return all(there == found for _, there, found in needles)


def _print(title: str, heads: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    from sessions_app.management.terminal import columns

    print(f"\n{title}\n{columns([heads, *rows])}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
