"""The card of a release as a public page, and its drawings."""

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from diagnosis import model_card, presentation, releases
from ml_models.release import Card, ReleaseError


@never_cache
@require_safe
def classifier(request: HttpRequest, release: str = "") -> HttpResponse:
    """The release that answers patients now, or the one that made an older result.

    404 where it is not installed; 503, and why, where its files are not what was measured.
    """
    active = releases.active_or_none()
    name = release or active
    if not releases.is_installed(name):
        raise Http404
    try:
        card = presentation.verified_card(name)
    except ReleaseError as error:
        refusal = {"release": name, "problem": str(error)}
        return render(request, "diagnosis/releases/refused.html", refusal, status=503)
    context = {
        "card": card,
        "is_active": card.name == active,
        "active": active,
        "tables": model_card.tables(card),
        "plots": model_card.plots(card),
    }
    return render(request, "diagnosis/releases/card.html", context)


@require_safe
def plot(request: HttpRequest, release: str, name: str) -> HttpResponse:
    """A drawing of the release folder: nothing else of it leaves, and only as it was released."""
    content = model_card.plot_file(_card(release), name)
    if content is None:
        raise Http404
    headers = {
        "Cache-Control": "public, max-age=86400",
        "X-Content-Type-Options": "nosniff",
        # Opened by itself it is a page: it may use the colours that it brings along, and do nothing.
        "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; sandbox",
    }
    return HttpResponse(content, content_type="image/svg+xml", headers=headers)


def _card(release: str) -> Card:
    card = presentation.card(release)
    if card is None:
        raise Http404
    return card
