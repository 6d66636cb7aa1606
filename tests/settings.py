"""The product's settings in a scratch place, with what makes tests fast."""

from __future__ import annotations

from tests import scratch

ROOT = scratch.prepare()

from dashboard.settings import *
from dashboard.settings import DATABASES, SESSIONS_DATA_DIR, STORAGES

if DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    # A file, as in production: the live server's threads get connections of their own.
    DATABASES["default"]["TEST"] = {"NAME": SESSIONS_DATA_DIR / "test.sqlite3"}
STORAGES["staticfiles"] = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
ALLOWED_HOSTS = ["testserver", "localhost", "127.0.0.1"]
