"""What a web server calls."""

from __future__ import annotations

import os

from django.core.wsgi import get_wsgi_application
from django.urls import resolve

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "dashboard.settings")

django = get_wsgi_application()

# Only now can the product be imported.
from sessions_app.pages.live import QuietPages  # noqa: E402

application = QuietPages(django)

# Once, before the workers fork: none of them loads pages and API again on its first request.
resolve("/")
