"""What docs/api.md shows is true: its curl lines and its example program are run."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

from sessions_app.models import User
from tests.api.conftest import Program, program_of

DOCS: Path = settings.BASE_DIR / "docs"
FILES: dict[str, bytes] = {}  # what one line downloads and another one sends
EXAMPLE = DOCS / "examples" / "record_job.py"


def curl_lines() -> Iterator[list[str]]:
    """The words of every line that starts with curl."""
    text = (DOCS / "api.md").read_text(encoding="utf-8")
    for line in re.findall(r"^    (curl .+)$", text, re.MULTILINE):
        yield shlex.split(line)


def run(words: list[str], program: Program, variables: dict[str, str]) -> Any:
    """What curl would send; only the options that the page uses are known."""
    method, address, data, kept, headers = "", "", b"", "", {}
    options = iter(words[1:])
    for word in options:
        if word == "-X":
            method = next(options)
        elif word == "-H":
            name, _, value = next(options).partition(": ")
            headers[name.replace("-", "_")] = value
        elif word in ("-d", "--data-binary"):
            told = next(options)
            data = told.encode()
            if told.startswith("@"):
                data = FILES.get(told[1:], b"what the file holds")
        elif word == "-o":
            kept = next(options)
        else:
            address = word
    for name, value in variables.items():
        address = address.replace(f"${name}", value)
        headers = {key: text.replace(f"${name}", value) for key, text in headers.items()}
    assert headers.pop("Authorization") == f"Bearer {program.secret}"
    answer = program.send(method or ("POST" if data else "GET"), address, data, **headers)
    if kept:
        FILES[kept] = answer.getvalue()
    return answer


def test_every_curl_line_does_what_it_says(owners: Program) -> None:
    variables = {"BASE": "", "TOKEN": owners.secret}
    done = 0
    for words in curl_lines():
        answer = run(words, owners, variables)
        assert answer.status_code < 300, (words, answer.content)
        told = (
            answer.json()
            if answer.headers.get("Content-Type", "").startswith("application/json")
            else {}
        )
        if "ID" not in variables and answer.status_code == 201:
            variables["ID"] = told["id"]
        if "fence" in told:
            variables["FENCE"] = str(told["fence"])
        done += 1
    assert done >= 20


@pytest.mark.django_db(transaction=True)
def test_the_example_goes_on_where_it_was_killed(live_server: Any) -> None:
    owner = User.objects.create_user("worker")
    program = program_of(owner)
    environment = {"BASE": f"{live_server.url}/api/v1", "TOKEN": program.secret}
    command = [sys.executable, str(EXAMPLE), "nightly"]
    first = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
    assert first.stdout is not None
    for line in first.stdout:
        if line.strip() == "45":
            first.kill()
            break
    first.stdout.close()
    first.wait(timeout=10)
    session = program.get("/sessions?q=&limit=1").json()["items"][0]
    assert session["progress"] == 0.4
    again = subprocess.run(
        command, env=environment, capture_output=True, text=True, check=True, timeout=120
    )
    lines = again.stdout.splitlines()
    assert (lines[0], lines[-1]) == ("going on from step 40", "done: 5050")
    ended = program.get(f"/sessions/{session['id']}").json()
    assert (ended["status"], ended["message_count"]) == ("completed", 100)
    steps = program.get(f"/sessions/{session['id']}/snapshots").json()["items"]
    assert [item["step"] for item in steps] == list(range(10, 101, 10))
