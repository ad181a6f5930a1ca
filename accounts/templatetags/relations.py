"""How pages speak of people and of what is shared with them."""

from typing import Any
from uuid import UUID

from django import template

from accounts.registries import Shareable
from accounts.relations import name_of

register = template.Library()

register.filter("name_of", name_of)


@register.filter
def thing(things: dict[UUID, Shareable], item: Any) -> Shareable | None:
    """What a named item is; nothing if it is there no more."""
    return things.get(item)
