"""The product as a Django application."""

from __future__ import annotations

from django.apps import AppConfig


class SessionsAppConfig(AppConfig):
    name = "sessions_app"
    label = "sessions_app"
    verbose_name = "Agent Sessions"
    default_auto_field = "django.db.models.BigAutoField"
