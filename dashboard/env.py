"""Typed readers for the settings: a bad value stops the start with one sentence that names it."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import zoneinfo
from collections.abc import Callable, Collection, Iterable
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import unquote, urlsplit

import environ
from django.core.exceptions import ImproperlyConfigured

Value = TypeVar("Value")
TRUE = {"1", "true", "yes", "on"}
FALSE = {"0", "false", "no", "off", ""}
POSTGRES = {"postgres", "postgresql"}
HOST_NAME = re.compile(r"\*|\.?[^\s/:@\[\]*]+|\[[0-9A-Fa-f:.]+\]")


def load(file: Path) -> None:
    """Take what .env says, unless the environment says otherwise."""
    environ.Env.read_env(file)


def text(name: str, default: str = "") -> str:
    """The value of NAME, or the contents of the file that NAME_FILE names."""
    secret = os.environ.get(f"{name}_FILE")
    if not secret:
        return os.environ.get(name, default).strip()
    try:
        return Path(secret).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ImproperlyConfigured(f"{name}_FILE cannot be read: {secret}.") from error


def read(name: str, default: str, convert: Callable[[str], Value], wanted: str) -> Value:
    value = text(name, default)
    try:
        return convert(value)
    except (ValueError, KeyError) as error:
        raise ImproperlyConfigured(f"{name} is “{value}”, but must be {wanted}.") from error


def flag(name: str, default: bool) -> bool:
    def convert(value: str) -> bool:
        if value.lower() not in TRUE | FALSE:
            raise ValueError(value)
        return value.lower() in TRUE

    return read(name, str(default), convert, "true or false")


def whole(name: str, default: int, least: int = 0, most: int = 1_000_000) -> int:
    def convert(value: str) -> int:
        number = int(value)
        if not least <= number <= most:
            raise ValueError(value)
        return number

    return read(name, str(default), convert, f"a whole number from {least} to {most}")


def choice(name: str, default: str, allowed: Collection[str]) -> str:
    known = {item.lower(): item for item in allowed}
    wanted = "one of " + ", ".join(allowed)
    return read(name, default, lambda value: known[value.lower()], wanted)


def names(name: str, default: Iterable[str] = ()) -> list[str]:
    """A list, separated by commas."""
    found = [part.strip() for part in text(name, ",".join(default)).split(",")]
    return [part for part in found if part]


def hosts(name: str, default: Iterable[str]) -> list[str]:
    """Names of machines; one with a scheme, a path or a port would never match."""
    found = names(name)
    for host in found:
        if not HOST_NAME.fullmatch(host):
            raise ImproperlyConfigured(f"{name} holds “{host}”, which must be a host name only.")
    return found or list(default)


def origins(name: str) -> list[str]:
    found = names(name)
    for origin in found:
        if not origin.startswith(("http://", "https://")):
            raise ImproperlyConfigured(f"{name} holds “{origin}”, which must start with https://.")
    return found


def time_zone(name: str, default: str) -> str:
    def convert(value: str) -> str:
        # ZoneInfo raises OSError for a folder ("Europe") and KeyError for an unknown name.
        try:
            return zoneinfo.ZoneInfo(value).key
        except OSError as error:
            raise ValueError(value) from error

    return read(name, default, convert, "a time zone such as UTC or Asia/Shanghai")


def folder(name: str, default: Path) -> Path:
    """A folder that exists and can be written to; it is made when it is missing."""
    path = Path(text(name, str(default))).expanduser().absolute()
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise ImproperlyConfigured(f"{name}: {path} cannot be made.") from error
    if not os.access(path, os.W_OK | os.X_OK):
        raise ImproperlyConfigured(f"{name} is {path}, which cannot be written to.")
    return path


def storage_folder(name: str, default: Path) -> Path:
    """The folder behind a file:// address."""
    url = text(name, default.as_uri())
    if not url.startswith("file:///"):
        raise ImproperlyConfigured(f"{name} is “{url}”, but must start with file:///.")
    return Path(unquote(urlsplit(url).path))


def secret_key(file: Path) -> str:
    """SECRET_KEY, or one of our own that is made once and kept in the data folder."""
    given = text("SECRET_KEY")
    if given:
        if len(given) < 32:
            raise ImproperlyConfigured("SECRET_KEY is too short: 32 characters are the least.")
        return given
    if not file.exists():
        # Of two processes that start together one link succeeds, and both read a whole key.
        draft = file.with_name(f"{file.name}.{os.getpid()}")
        draft.touch(0o600)
        draft.write_text(secrets.token_urlsafe(48), encoding="ascii")
        with contextlib.suppress(FileExistsError):
            os.link(draft, file)
        draft.unlink()
    return file.read_text(encoding="ascii").strip()


def database(name: str, default: Path, sqlite: dict[str, Any]) -> dict[str, Any]:
    """Django's settings for sqlite:////path or postgres://user:password@host:port/name."""
    url = text(name) or f"sqlite:///{default}"
    try:
        scheme = urlsplit(url).scheme
        config = environ.Env.db_url_config(url) if scheme in {"sqlite"} | POSTGRES else {}
        pool = int(config.get("OPTIONS", {}).pop("pool", 0))
    except ValueError:
        config, pool = {}, 0
    if config.get("NAME", ":memory:") in ("", ":memory:"):
        # Never the value itself: it holds a password.
        raise ImproperlyConfigured(
            f"{name} must be sqlite:////path/to/file or postgres://user:password@host:port/name."
        )
    if scheme in POSTGRES:
        return postgres(name, config, pool)
    if not Path(config["NAME"]).absolute().parent.is_dir():
        raise ImproperlyConfigured(f"{name}: the folder of {config['NAME']} does not exist.")
    return {**config, "OPTIONS": {**sqlite, **config.get("OPTIONS", {})}, "CONN_MAX_AGE": 60}


def postgres(name: str, config: dict[str, Any], pool: int) -> dict[str, Any]:
    try:
        import psycopg  # noqa: F401
    except ImportError as error:
        raise ImproperlyConfigured(f"{name}: PostgreSQL needs psycopg.") from error
    options: dict[str, Any] = config.get("OPTIONS", {})
    if pool:
        options = {**options, "pool": {"min_size": 1, "max_size": pool}}
    # A pool keeps the connections itself; without one each worker keeps its own for a minute.
    return {
        **config,
        "OPTIONS": options,
        "CONN_MAX_AGE": 0 if pool else 60,
        "CONN_HEALTH_CHECKS": True,
    }
