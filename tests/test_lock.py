from __future__ import annotations

import re
import tomllib

from django.conf import settings

LOCK = (settings.BASE_DIR / "requirements.lock").read_text(encoding="utf-8")
PIN = re.compile(r"^[a-z0-9][a-z0-9.-]*==\S+ \\$")
HASH = re.compile(r"^    --hash=sha256:[0-9a-f]{64}( \\)?$")


def test_the_lock_holds_no_address() -> None:
    assert not re.search(r"https?://|file:/|--(extra-)?index-url|--find-links|--trusted-host", LOCK)


def test_every_line_is_a_pin_a_hash_or_a_comment() -> None:
    odd = [
        line
        for line in LOCK.splitlines()
        if line.strip()
        and not line.lstrip().startswith("#")
        and not (PIN.match(line) or HASH.match(line))
    ]
    assert odd == []


def test_every_pin_is_hashed() -> None:
    for pin, first in re.findall(r"^(\S+==\S+) \\\n(.*)$", LOCK, flags=re.MULTILINE):
        assert HASH.match(first), pin


def test_every_dependency_is_locked() -> None:
    project = tomllib.loads((settings.BASE_DIR / "pyproject.toml").read_text())["project"]
    wanted = [*project["dependencies"]]
    for extra in project["optional-dependencies"].values():
        wanted += extra
    locked = set(re.findall(r"^([a-z0-9.-]+)==", LOCK, flags=re.MULTILINE))
    assert {re.split(r"[\[<>=]", name)[0].lower() for name in wanted} <= locked


def test_django_is_new_enough_for_its_security_fixes() -> None:
    found = re.search(r"^django==5\.2\.(\d+) ", LOCK, flags=re.MULTILINE)
    assert found and int(found[1]) >= 14
