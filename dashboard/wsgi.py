"""What a web server calls."""

from __future__ import annotations

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "dashboard.settings")

django = get_wsgi_application()

# Only now can the product be imported.
from sessions_app.pages.live import QuietPages  # noqa: E402

application = QuietPages(django)
