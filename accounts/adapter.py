from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from django.conf import settings

from accounts import demo


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]
    """In demo mode there need be no mail server: the link of a mail is also shown on the page."""

    def send_mail(self, template_prefix: str, email: str, context: dict[str, Any]) -> None:
        super().send_mail(template_prefix, email, context)
        if settings.DEMO:
            demo.keep_link(self.request, context.get("activate_url") or context.get("password_reset_url"))
