"""Which part of the product answers which address."""

from __future__ import annotations

from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path

from sessions_app.api import api, docs

urlpatterns: list[URLPattern | URLResolver] = [
    path("admin/", admin.site.urls),
    path("accounts/", include("allauth.urls")),
    path("i18n/", include("django.conf.urls.i18n")),
    path("api/docs", docs.page, name="api_docs"),
    path("api/v1/", api.urls),
    path("", include("sessions_app.pages.urls")),
]
