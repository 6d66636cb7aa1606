"""The tokens of a person: make one, see when they were used, revoke them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django import forms
from django.contrib import messages
from django.db.models import Q
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_variables
from django.views.decorators.http import require_http_methods, require_POST

from sessions_app.actions.api_tokens import LONGEST_NAME, create_token, revoke_token
from sessions_app.models import ApiToken, Project, User
from sessions_app.pages.render import PageRequest

PAGE = "tokens/page.html"
LIFETIMES = (
    ("30", gettext_lazy("30 days")),
    ("90", gettext_lazy("90 days")),
    ("365", gettext_lazy("a year")),
    ("", gettext_lazy("never")),
)
SCOPES = (
    (ApiToken.Scope.READ, gettext_lazy("read: everything that you may see")),
    (ApiToken.Scope.WRITE, gettext_lazy("write: record and change your sessions")),
    (ApiToken.Scope.ADMIN, gettext_lazy("admin: both, and what administrators may do")),
)


class TokenForm(forms.Form):
    name = forms.CharField(label=gettext_lazy("Name"), max_length=LONGEST_NAME)
    scopes = forms.MultipleChoiceField(
        label=gettext_lazy("What it may do"), choices=SCOPES, initial=["read", "write"],
        widget=forms.CheckboxSelectMultiple,
    )  # fmt: skip
    project = forms.ModelChoiceField(
        label=gettext_lazy("Only for the project"), queryset=Project.objects.none(),
        required=False, empty_label=gettext_lazy("all projects"),
    )  # fmt: skip
    days = forms.ChoiceField(
        label=gettext_lazy("Expires after"), choices=LIFETIMES, initial="90", required=False
    )

    def __init__(self, user: User, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        seen = Project.objects.filter(Q(is_open=True) | Q(members=user)).distinct()
        chosen = self.fields["project"]
        assert isinstance(chosen, forms.ModelChoiceField)
        chosen.queryset = seen


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@sensitive_variables("secret")
def tokens(request: PageRequest) -> HttpResponse:
    """The secret of a new token stands in this one answer, and nowhere else."""
    if request.method != "POST":
        return _page(request, TokenForm(request.user))
    form = TokenForm(request.user, request.POST)
    if not form.is_valid():
        return _page(request, form, status=422)
    now, days = timezone.now(), form.cleaned_data["days"]
    _token, secret = create_token(
        request.user,
        name=form.cleaned_data["name"],
        scopes=form.cleaned_data["scopes"],
        project=form.cleaned_data["project"],
        expires_at=now + timedelta(days=int(days)) if days else None,
        by=request.user,
        now=now,
    )
    return _page(request, TokenForm(request.user), secret=secret)


def _page(
    request: PageRequest, form: TokenForm, *, secret: str = "", status: int = 200
) -> HttpResponse:
    mine = ApiToken.objects.filter(user=request.user, revoked_at=None).select_related("project")
    context = {"tokens": mine, "form": form, "secret": secret, "now": timezone.now()}
    return render(request, PAGE, context, status=status)


@require_POST
def revoke(request: PageRequest, pk: int) -> HttpResponse:
    token = ApiToken.objects.filter(user=request.user, pk=pk).first()
    if token is None:
        raise Http404
    revoke_token(token, by=request.user, now=timezone.now())
    messages.success(request, _("The token is revoked: it opens nothing any more."))
    return redirect("tokens")
