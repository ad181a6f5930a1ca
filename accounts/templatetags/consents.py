from django import template
from django.utils.safestring import SafeString

from accounts import consents
from accounts.models import ConsentKind

register = template.Library()


@register.simple_tag
def consent_text(kind: str, version: int | None = None) -> SafeString:
    """The text of a consent: the present one, or an earlier version."""
    return consents.consent_text(ConsentKind(kind), version)
