"""For ASGI servers; the product itself needs none."""

import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "dermaplatform.settings")

application = get_asgi_application()
