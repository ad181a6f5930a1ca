"""Images leave through here, after a view has decided who may see them."""

from django.db.models.fields.files import FieldFile
from django.http import FileResponse


def image_response(file: FieldFile, content_type: str) -> FileResponse:
    """The file under a fixed content type, for this person only."""
    return FileResponse(
        file.open("rb"),
        content_type=content_type,
        headers={
            "Cache-Control": "private, max-age=3600",
            "X-Content-Type-Options": "nosniff",
            "Content-Security-Policy": "default-src 'none'",
        },
    )
