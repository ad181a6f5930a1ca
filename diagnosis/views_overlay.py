"""What the computer looked at, as a layer for the picture: drawn here from what the worker stored."""

from io import BytesIO
from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404
from django.views.decorators.http import require_safe

from accounts.requests import SignedInRequest
from diagnosis.models import Analysis
from ml_models.explanation import overlay as draw

_SIDE = 320  # pixels; the map has a few places a side, so more would show nothing more


@require_safe
@login_required
def overlay(request: SignedInRequest, public_id: UUID, code: str) -> HttpResponse:
    """A transparent square for the centre of the picture; 404 where the release gave no map."""
    analysis = get_object_or_404(Analysis.objects.visible_to(request.user), public_id=public_id)
    rows = (analysis.activation or {}).get(code)
    if rows is None:
        raise Http404
    out = BytesIO()
    draw(rows, _SIDE).save(out, "PNG")
    headers = {
        "Cache-Control": "private, max-age=3600",
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": "default-src 'none'; sandbox",
    }
    return HttpResponse(out.getvalue(), content_type="image/png", headers=headers)
