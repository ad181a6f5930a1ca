"""Private files leave through here, after a view has decided who may have them."""

from typing import Any
from urllib.parse import quote

from django.conf import settings
from django.db.models.fields.files import FieldFile
from django.http import FileResponse, Http404, HttpResponse, HttpResponseBase
from django.utils.http import content_disposition_header


def private_file(
    file: FieldFile, content_type: str, *, save_as: str = "", max_age: int = 3600
) -> HttpResponseBase:
    """The file under a fixed content type, for this person only; 404 if it is gone.

    With `save_as` a browser saves it under this name instead of showing it. With `max_age=0` it is not kept.
    """
    headers = {
        "Cache-Control": f"private, max-age={max_age}" if max_age else "no-store",
        "X-Content-Type-Options": "nosniff",
        "Cross-Origin-Resource-Policy": "same-origin",
        # Opened by itself, a file is a page: it may do nothing.
        "Content-Security-Policy": "default-src 'none'; sandbox",
    }
    if settings.DERMA_X_ACCEL:
        # nginx replaces this answer by the file; the location is `internal`, so nobody else can ask for it.
        if save_as:
            headers["Content-Disposition"] = str(content_disposition_header(True, save_as))
        headers["X-Accel-Redirect"] = f"{settings.DERMA_X_ACCEL.rstrip('/')}/{quote(str(file.name))}"
        return HttpResponse(content_type=content_type, headers=headers)
    return FileResponse(
        _opened(file),
        as_attachment=bool(save_as),
        filename=save_as,
        content_type=content_type,
        headers=headers,
    )


def _opened(file: FieldFile) -> Any:
    try:
        return file.open("rb")
    except FileNotFoundError as error:
        raise Http404 from error
