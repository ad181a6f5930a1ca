"""What every page uses: icons, fields, times in words."""

from collections.abc import Iterable
from datetime import datetime

from allauth.account.models import EmailAddress
from django import template
from django.forms import BoundField, CheckboxInput
from django.http import HttpRequest
from django.templatetags.static import static
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.timesince import timesince
from django.utils.translation import gettext as _

register = template.Library()


@register.simple_tag
def icon(name: str, extra: str = "") -> SafeString:
    """A drawing from the sprite, hidden from screen readers: words always stand beside it."""
    return format_html(
        '<svg class="icon {}" aria-hidden="true"><use href="{}#{}"></use></svg>',
        extra,
        static("img/icons.svg"),
        name,
    )


@register.simple_tag
def widget(field: BoundField) -> SafeString:
    """The field's input without a placeholder: the label stands above it."""
    return field.as_widget(attrs={"placeholder": False})


@register.filter
def is_checkbox(field: BoundField) -> bool:
    return isinstance(field.field.widget, CheckboxInput)


@register.filter
def has_unconfirmed(addresses: Iterable[EmailAddress]) -> bool:
    """Whether the link can be sent again for one of these addresses."""
    return any(not address.verified for address in addresses)


@register.filter
def in_words(moment: datetime) -> SafeString:
    """A time as "2 days ago"; the full date on hover and for screen readers."""
    local = timezone.localtime(moment)
    full = date_format(local, "DATETIME_FORMAT")
    if (timezone.now() - moment).total_seconds() < 60:
        words = _("just now")
    else:
        words = _("%(time)s ago") % {"time": timesince(moment, depth=1)}
    return format_html(
        '<time datetime="{}" title="{}">{}<span class="visually-hidden"> ({})</span></time>',
        local.isoformat(timespec="seconds"),
        full,
        words,
        full,
    )


@register.simple_tag(takes_context=True)
def current(context: template.Context, *views: str) -> str:
    """`page` for aria-current if the present page is one of these views, else nothing."""
    request: HttpRequest | None = context.get("request")
    match = request.resolver_match if request else None
    return "page" if match and match.view_name in views else ""


@register.filter
def initials(name: str) -> str:
    """The first letters of the first and the last word of a name, titles left out."""
    words = [word for word in name.split() if not word.endswith(".")] or name.split()
    return "".join(word[0] for word in dict.fromkeys([words[0], words[-1]])).upper() if words else ""
