"""The addresses of the pages."""

from __future__ import annotations

from django.urls import include, path

from sessions_app.pages import (
    health,
    ingest_rules,
    ingest_status,
    ingest_upload,
    overview,
    preferences,
    search,
    session_list,
    signin,
    tokens,
)

urlpatterns = [
    path("", overview.overview, name="overview"),
    path("samples/load/", overview.load, name="load_samples"),
    path("samples/remove/", overview.remove, name="remove_samples"),
    path("sessions/", session_list.session_list, name="session_list"),
    path("sessions/choices/<str:name>/", session_list.session_choices, name="session_choices"),
    path("sessions/<str:short_id>/", include("sessions_app.pages.transcript_urls")),
    path("search/", search.search_page, name="search"),
    path("search/save/", search.keep_search, name="keep_search"),
    path("search/saved/<int:pk>/forget/", search.drop_search, name="drop_search"),
    path("ingest/", ingest_status.ingest_status, name="ingest_status"),
    path("ingest/runs/", ingest_status.runs, name="ingest_runs"),
    path("ingest/problems/dismiss/", ingest_status.dismiss_problems, name="dismiss_problems"),
    path("ingest/problems/retry/", ingest_status.retry_problems, name="retry_problems"),
    path("ingest/rules/add/", ingest_rules.add, name="add_rule"),
    path("ingest/rules/remove/", ingest_rules.remove, name="remove_rule"),
    path("ingest/rules/<int:pk>/", ingest_rules.rule, name="rule"),
    path("ingest/upload/", ingest_upload.upload_sessions, name="upload_sessions"),
    path("tokens/", tokens.tokens, name="tokens"),
    path("tokens/<int:pk>/revoke/", tokens.revoke, name="revoke_token"),
    path("sign-in/<str:token>/", signin.sign_in, name="sign_in"),
    path("preferences/language/", preferences.choose_language, name="choose_language"),
    path("preferences/theme/", preferences.set_theme, name="set_theme"),
    path("healthz", health.healthz, name="healthz"),
    path("readyz", health.readyz, name="readyz"),
]
