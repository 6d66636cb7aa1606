"""The page behind a one-time sign-in link."""

from __future__ import annotations

from allauth.account.adapter import get_adapter
from django.contrib.auth import login
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_variables
from django.views.decorators.http import require_http_methods

from sessions_app.actions.signin import LinkRefused, LinkUnknown, check, redeem

# What prefetching browsers and the preview fetchers of chats and mail scanners say of themselves.
PREVIEWERS = ("prefetch", "preview", "bot", "externalhit", "whatsapp", "crawl", "spider", "scan")
BACKEND = "django.contrib.auth.backends.ModelBackend"


@login_not_required
@sensitive_variables("token")
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def sign_in(request: HttpRequest, token: str) -> HttpResponse:
    """Following the link signs in. What only looks ahead is asked first and uses nothing up."""
    try:
        if request.method == "HEAD" or (request.method == "GET" and _looks_ahead(request)):
            return render(request, "signin/confirm.html", {"person": check(token).user})
        user = redeem(token, address=get_adapter(request).get_client_ip(request))
    except LinkRefused as refusal:
        status = 404 if isinstance(refusal, LinkUnknown) else 410
        return render(request, "signin/refused.html", {"sentence": str(refusal)}, status=status)
    login(request, user, backend=BACKEND)
    return redirect("/")


def _looks_ahead(request: HttpRequest) -> bool:
    """Whether a browser or a chat fetches the page before anybody followed the link."""
    says = (request.headers.get(name, "") for name in ("Sec-Purpose", "Purpose", "User-Agent"))
    told = " ".join(says).lower()
    return any(sign in told for sign in PREVIEWERS)
