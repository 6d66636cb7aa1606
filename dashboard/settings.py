"""How the dashboard is configured: from the environment, or from .env beside manage.py."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Any

from dashboard import env, logs

BASE_DIR = Path(__file__).resolve().parent.parent
env.load(Path(os.environ.get("SESSIONS_ENV_FILE", BASE_DIR / ".env")))

# --- Our own knobs -----------------------------------------------------------------------------

# Everything that is kept: database, key, blobs, collected static files.
SESSIONS_DATA_DIR = env.folder("SESSIONS_DATA_DIR", BASE_DIR / "data")
# Where artifacts and other files go.
SESSIONS_STORAGE_DIR = env.storage_folder("SESSIONS_STORAGE_URL", SESSIONS_DATA_DIR / "blobs")
# Days after which an idle completed or failed session goes to the trash; 0 keeps it for ever.
SESSIONS_RETENTION_DAYS = env.whole("SESSIONS_RETENTION_DAYS", 0)
# Days in the trash before a session is gone.
SESSIONS_TRASH_DAYS = env.whole("SESSIONS_TRASH_DAYS", 14)
# Whether tokens and costs are kept at all.
SESSIONS_STORE_TOKEN_USAGE = env.flag("SESSIONS_STORE_TOKEN_USAGE", True)
# Tags that every new session gets; ${USER} becomes the name of its owner.
SESSIONS_DEFAULT_TAGS = env.names("SESSIONS_DEFAULT_TAGS")
# Who may see a new session besides its owner.
SESSIONS_DEFAULT_VISIBILITY = env.choice(
    "SESSIONS_DEFAULT_VISIBILITY", "project", ("project", "everyone", "numbers", "private")
)
# Whether a new project is for every signed-in user or for its members only.
SESSIONS_NEW_PROJECTS = env.choice("SESSIONS_NEW_PROJECTS", "open", ("open", "closed"))
# How often an agent reports that it lives; after three silences it counts as crashed.
SESSIONS_HEARTBEAT_SECONDS = env.whole("SESSIONS_HEARTBEAT_SECONDS", 30, least=1)
# How often the known homes of the agents are read; 0 = never.
SESSIONS_INGEST_SECONDS = env.whole("SESSIONS_INGEST_SECONDS", 30)
# What one upload by the browser may hold, unpacked, in megabytes.
SESSIONS_UPLOAD_MB = env.whole("SESSIONS_UPLOAD_MB", 100, least=1)
# API requests a second for each token.
SESSIONS_RATE_LIMIT = env.whole("SESSIONS_RATE_LIMIT", 200, least=1)
# Whether people come by https, through a proxy that sets X-Forwarded-Proto.
SESSIONS_HTTPS = env.flag("SESSIONS_HTTPS", False)
# How many proxies stand in front: the client's address is read that far back in X-Forwarded-For.
SESSIONS_PROXIES = env.whole("SESSIONS_PROXIES", 1 if SESSIONS_HTTPS else 0, most=10)

# --- Addresses and secrets ---------------------------------------------------------------------

DEBUG = env.flag("DEBUG", False)
SECRET_KEY = env.secret_key(SESSIONS_DATA_DIR / "secret_key")
HOST = env.text("HOST", "127.0.0.1")
PORT = env.whole("PORT", 8000, least=1, most=65_535)
ALLOWED_HOSTS = env.hosts(
    "ALLOWED_HOSTS", {"localhost", "127.0.0.1", "[::1]", socket.gethostname().lower(), HOST}
)
CSRF_TRUSTED_ORIGINS = env.origins("CSRF_TRUSTED_ORIGINS")

# --- Language and time -------------------------------------------------------------------------

LANGUAGES = [("en", "English"), ("zh-hans", "简体中文")]
LANGUAGE_CODE = env.choice("SESSIONS_LANGUAGE", "en", [code for code, _ in LANGUAGES])
LOCALE_PATHS = [BASE_DIR / "locale"]
TIME_ZONE = env.time_zone("TIME_ZONE", "UTC")
USE_TZ = True

# --- Database ----------------------------------------------------------------------------------

# FULL: what was answered survives a power cut. IMMEDIATE: a writer waits at the start of its
# transaction, where waiting works; a reader that upgrades in the middle would fail at once.
SQLITE: dict[str, Any] = {
    "transaction_mode": "IMMEDIATE",
    "timeout": 20,
    "init_command": (
        "PRAGMA page_size = 8192; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
        "PRAGMA foreign_keys = ON;"
        "PRAGMA temp_store = MEMORY; PRAGMA cache_size = -16000;"
        "PRAGMA journal_size_limit = 67108864;"
    ),
}
DATABASES = {
    "default": env.database("DATABASE_URL", SESSIONS_DATA_DIR / "db.sqlite3", SQLITE),
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
# In the database, so that rate limits hold across workers and machines.
CACHES = {
    "default": {"BACKEND": "django.core.cache.backends.db.DatabaseCache", "LOCATION": "cache"}
}

# --- The application ---------------------------------------------------------------------------

INSTALLED_APPS = [
    "sessions_app",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "django_htmx",
    "allauth",
    "allauth.account",
    "csp",
]
MIDDLEWARE = [
    "sessions_app.api.middleware.ApiErrorMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django_permissions_policy.PermissionsPolicyMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "sessions_app.pages.middleware.SignInMiddleware",
    "sessions_app.pages.middleware.PreferencesMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
]
ROOT_URLCONF = "dashboard.urls"
WSGI_APPLICATION = "dashboard.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.template.context_processors.i18n",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "sessions_app.pages.shell.shell",
            ]
        },
    }
]
LOGGING = logs.CONFIG

# --- Files -------------------------------------------------------------------------------------

STATIC_URL = "static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
STATIC_ROOT = SESSIONS_DATA_DIR / "static"
STATIC_ROOT.mkdir(exist_ok=True)
# Half the files to compress on the first start.
WHITENOISE_KEEP_ONLY_HASHED_FILES = True
STORAGES: dict[str, Any] = {
    "default": {
        "BACKEND": "django.core.files.storage.FileSystemStorage",
        "OPTIONS": {"location": SESSIONS_STORAGE_DIR},
    },
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}

# --- People ------------------------------------------------------------------------------------

AUTH_USER_MODEL = "sessions_app.User"
AUTHENTICATION_BACKENDS = [
    "django.contrib.auth.backends.ModelBackend",
    "allauth.account.auth_backends.AuthenticationBackend",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = "/"
ACCOUNT_ADAPTER = "sessions_app.pages.accounts.ClosedSignupAdapter"
ACCOUNT_LOGIN_METHODS = {"username", "email"}
ACCOUNT_SIGNUP_FIELDS = ["username*", "email", "password1*", "password2*"]
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_SESSION_REMEMBER = True
ACCOUNT_RATE_LIMITS = {"login": "30/m/ip", "login_failed": "10/m/ip,5/300s/key"}
ALLAUTH_TRUSTED_PROXY_COUNT = SESSIONS_PROXIES
# No mail is sent; a lost password is replaced by `manage.py sign_in_link`.
EMAIL_BACKEND = "django.core.mail.backends.dummy.EmailBackend"

# --- Security ----------------------------------------------------------------------------------

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'self'"],
        "script-src": ["'self'"],
        "style-src": ["'self'"],
        "img-src": ["'self'"],
        "object-src": ["'none'"],
        "base-uri": ["'none'"],
        "frame-ancestors": ["'none'"],
        "form-action": ["'self'"],
    }
}
PERMISSIONS_POLICY: dict[str, list[str]] = {
    name: [] for name in ("camera", "geolocation", "microphone", "payment", "usb")
}
X_FRAME_OPTIONS = "DENY"
SECURE_REFERRER_POLICY = "same-origin"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = LANGUAGE_COOKIE_SECURE = SESSIONS_HTTPS
if SESSIONS_HTTPS and not DEBUG:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    SECURE_SSL_REDIRECT = True
    # The health checks of a container or a balancer come by plain http.
    SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$"]
    SECURE_HSTS_SECONDS = 31_536_000
    ACCOUNT_DEFAULT_HTTP_PROTOCOL = "https"
# Subdomains and browsers' preload lists are for the owner of the domain to decide.
SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W021"]
