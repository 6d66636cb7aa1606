"""Sessions and tags."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import ForeignKey, QuerySet
from django.forms import ModelChoiceField, ModelForm
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from sessions_app import figures
from sessions_app.actions.placing import place_session
from sessions_app.admin.base import ReadOnlyAdmin, StaffRequest, TableAdmin
from sessions_app.models import AgentSession, Tag

EDITABLE = ("owner", "project", "visibility", "is_protected")
RELATED = ("collector", "owner", "project")
HIDDEN = ("id", "audience", "root_key", "title_rank")
FIELDS = [field.name for field in AgentSession._meta.fields if field.name not in HIDDEN]


@admin.register(AgentSession)
class SessionAdmin(TableAdmin):
    """Only who may see a session is changed here; what agents said is theirs."""

    list_display = (
        *("short_id", "shown_title", "backend", "status", "kind", "project", "owner"),
        *("last_active", "message_count", "tokens", "shown_cost"),
    )
    list_filter = (
        *("status", "backend", "kind", "visibility", "is_protected", "is_sample"),
        ("project", admin.RelatedOnlyFieldListFilter),
        ("owner", admin.RelatedOnlyFieldListFilter),
    )
    list_select_related = ("project", "owner")
    search_fields = ("short_id", "title", "prompt", "backend_session_id")
    date_hierarchy = "last_active"
    ordering = ("-last_active", "-id")
    raw_id_fields = ("owner", "project")
    fields = tuple(FIELDS)
    readonly_fields = [name for name in FIELDS if name not in EDITABLE]

    def formfield_for_foreignkey(
        self, db_field: ForeignKey[Any, Any], request: HttpRequest, **kwargs: Any
    ) -> ModelChoiceField[Any] | None:
        """A session without a project can stay so."""
        return super().formfield_for_foreignkey(
            db_field, request, required=not db_field.null, **kwargs
        )

    def get_queryset(self, request: StaffRequest) -> QuerySet[AgentSession]:  # type: ignore[override]
        return AgentSession.objects.visible_to(request.user).select_related(*RELATED)

    def save_model(  # type: ignore[override]
        self, request: StaffRequest, obj: AgentSession, form: ModelForm[Any], change: bool
    ) -> None:
        place_session(obj, by=request.user)

    @admin.display(description=_("title"), ordering="title")
    def shown_title(self, session: AgentSession) -> str:
        return (session.title or session.prompt)[:80]

    @admin.display(description=_("tokens"), ordering="total_tokens")
    def tokens(self, session: AgentSession) -> str:
        return figures.grouped(session.total_tokens)

    @admin.display(description=_("cost"), ordering="cost")
    def shown_cost(self, session: AgentSession) -> str:
        unpriced, tokens = session.unpriced_responses, session.total_tokens
        return figures.cost(session.cost, unpriced=unpriced, tokens=tokens).text


@admin.register(Tag)
class TagAdmin(ReadOnlyAdmin):
    list_display = ("name",)
    search_fields = ("name",)
