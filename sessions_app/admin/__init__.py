"""The administration: rows as they are, for whoever looks after the instance."""

from __future__ import annotations

from allauth.account.decorators import secure_admin_login
from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from sessions_app.admin import ingest, people, prices, projects, sessions, usage

__all__ = ["ingest", "people", "prices", "projects", "sessions", "usage"]

admin.site.site_header = admin.site.site_title = _("Agent Sessions administration")
admin.site.index_title = _("Tables")
# One door: the sign-in page, with its rate limits.
admin.site.login = secure_admin_login(admin.site.login)  # type: ignore[method-assign]
