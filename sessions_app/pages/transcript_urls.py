"""The addresses below /sessions/<id>/."""

from __future__ import annotations

from django.urls import path

from sessions_app.pages import search, session_files, transcript, transcript_parts

urlpatterns = [
    path("", transcript.session_detail, name="session_detail"),
    path("find/", search.find_in_session, name="session_find"),
    path("outline/", transcript.outline, name="session_outline"),
    path("inherited/", transcript_parts.inherited, name="session_inherited"),
    path("messages/<int:seq>/", transcript_parts.message, name="session_message"),
    path("calls/<int:pk>/", transcript_parts.call, name="session_call"),
    path("calls/<int:pk>/<str:side>/", transcript_parts.call_side, name="session_call_side"),
    path("attachments/<int:pk>/", session_files.attachment, name="session_attachment"),
    path("artifacts/<int:pk>/", session_files.artifact, name="session_artifact"),
    path("native/", session_files.native_file, name="session_native"),
    path("snapshots/<int:step>/", transcript_parts.snapshot, name="session_snapshot"),
]
