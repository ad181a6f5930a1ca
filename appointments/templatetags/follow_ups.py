"""What the first pages say about urgent results."""

from django import template

from accounts.models import User
from appointments import follow_up

register = template.Library()


@register.simple_tag
def open_follow_ups(user: User) -> int:
    """How many urgent results that concern this person wait for a visit."""
    return follow_up.open_for(user).count()
