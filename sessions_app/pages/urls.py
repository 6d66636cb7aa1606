"""The addresses of the pages."""

from __future__ import annotations

from django.urls import include, path

from sessions_app.pages import health, ingest_status, overview, preferences, session_list, signin

urlpatterns = [
    path("", overview.overview, name="overview"),
    path("samples/load/", overview.load, name="load_samples"),
    path("samples/remove/", overview.remove, name="remove_samples"),
    path("sessions/", session_list.session_list, name="session_list"),
    path("sessions/choices/<str:name>/", session_list.session_choices, name="session_choices"),
    path("sessions/<str:short_id>/", include("sessions_app.pages.transcript_urls")),
    path("ingest/", ingest_status.ingest_status, name="ingest_status"),
    path("ingest/runs/", ingest_status.runs, name="ingest_runs"),
    path("ingest/problems/dismiss/", ingest_status.dismiss_problems, name="dismiss_problems"),
    path("sign-in/<str:token>/", signin.sign_in, name="sign_in"),
    path("preferences/language/", preferences.choose_language, name="choose_language"),
    path("preferences/theme/", preferences.set_theme, name="set_theme"),
    path("healthz", health.healthz, name="healthz"),
    path("readyz", health.readyz, name="readyz"),
]
