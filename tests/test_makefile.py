from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from django.conf import settings

TARGETS = ("venv", "run", "test", "lint", "bench", "demo", "lock", "messages")


def make(
    *arguments: str, path: str | None = None, cwd: Path = settings.BASE_DIR
) -> tuple[int, str]:
    done = subprocess.run(
        [shutil.which("make") or "make", *arguments],
        cwd=cwd,
        env={**os.environ, "PATH": path or os.environ["PATH"]},
        capture_output=True,
        text=True,
        timeout=60,
    )
    return done.returncode, done.stdout + done.stderr


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    """A clone in which nothing has been made yet."""
    for name in ("Makefile", "requirements.lock"):
        shutil.copy(settings.BASE_DIR / name, tmp_path)
    shutil.copytree(settings.BASE_DIR / "locale", tmp_path / "locale")
    return tmp_path


def programs(folder: Path, **scripts: str) -> str:
    """A PATH with the shell's own tools and the given stand-ins only."""
    folder.mkdir()
    for tool in {"sh", "id", "env", "test", "touch", "sed", "expand"} - set(scripts):
        (folder / tool).symlink_to(shutil.which(tool) or tool)
    for name, body in scripts.items():
        (folder / name).write_text(f"#!/bin/sh\n{body}\n")
        (folder / name).chmod(0o755)
    return str(folder)


def test_make_alone_lists_the_targets() -> None:
    code, said = make()
    assert code == 0
    assert all(f"make {target} " in said for target in TARGETS)


def test_without_python_it_says_what_to_install(bare: Path) -> None:
    code, said = make("venv", path=programs(bare / "bin"), cwd=bare)
    assert code != 0
    assert "Python is missing: apt-get install python3 python3-venv" in said


def test_an_old_python_is_refused(bare: Path) -> None:
    code, said = make("venv", path=programs(bare / "bin", python3="exit 1"), cwd=bare)
    assert code != 0
    assert "Python 3.11 or 3.12 is needed" in said


def test_without_venv_it_says_what_to_install(bare: Path) -> None:
    only_version = 'case "$2" in *ensurepip*) exit 1;; esac'
    code, said = make("venv", path=programs(bare / "bin", python3=only_version), cwd=bare)
    assert code != 0
    assert "Python's venv is missing: apt-get install python3-venv" in said


@pytest.mark.parametrize(
    ("target", "sentence"),
    [
        ("test", "The tests need git: apt-get install git"),
        ("messages", "To collect texts install gettext: apt-get install gettext"),
    ],
)
def test_a_missing_tool_is_named_in_one_sentence(bare: Path, target: str, sentence: str) -> None:
    for made in (".venv/.installed", ".venv/.messages"):  # all that comes before is done
        (bare / made).parent.mkdir(exist_ok=True)
        (bare / made).touch()
    tools = programs(bare / "bin", chromium="", python3="")
    code, said = make(target, "--silent", path=tools, cwd=bare)
    assert code != 0
    # make's own last line names its level when make called it: "make[1]: ***".
    assert [line for line in said.splitlines() if ": *** [" not in line] == [sentence]


def test_without_chromium_a_person_is_told_to_install_it(bare: Path) -> None:
    code, said = make("chromium", path=programs(bare / "bin", id="echo 1000"), cwd=bare)
    assert code != 0
    assert "The browser tests need Chromium: apt-get install chromium libatomic1 (as root)" in said
