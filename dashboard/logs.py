"""One line per event on standard error, without one-time tokens."""

from __future__ import annotations

import logging
import re
from typing import Any

TOKEN = re.compile(r"(/sign-in/|/key/)[^/\s\"']+")


class OneLine(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return TOKEN.sub(r"\1…", super().format(record))


CONFIG: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "line": {"()": OneLine, "format": "{asctime} {levelname} {name}: {message}", "style": "{"}
    },
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["stderr"], "level": "WARNING"},
    "loggers": {
        "sessions_app": {"level": "INFO"},
        # Django's own handlers would print a second line, or write mail.
        "django": {"handlers": [], "level": "WARNING", "propagate": True},
    },
}
