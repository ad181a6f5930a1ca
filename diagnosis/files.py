"""How images of an analysis leave; who may have them was decided before."""

from django.db.models.fields.files import FieldFile
from django.http import HttpResponseBase

from dermaplatform.files import private_file


def image_response(file: FieldFile, content_type: str, *, kept: bool) -> HttpResponseBase:
    """The image. Only for its patient may a browser keep it: others ask, and are written down, each time."""
    return private_file(file, content_type, max_age=3600 if kept else 0)
