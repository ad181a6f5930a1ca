from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.models import EmailAddress
from allauth.core.exceptions import ImmediateHttpResponse
from allauth.core.ratelimit import respond_429
from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.template.loader import render_to_string

from accounts import demo, mailing
from dermaplatform.addresses import client_address


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]
    """allauth's mails go through our outbox, in text and HTML.

    In demo mode there need be no mail server: the link of a mail is also shown on the page.
    """

    def send_mail(self, template_prefix: str, email: str, context: dict[str, Any]) -> None:
        message = self.render_mail(template_prefix, email, {"email": email, **context})
        # Somebody may have added a stranger's address, which is never confirmed: the mail is not theirs.
        same = EmailAddress.objects.filter(email__iexact=email).order_by("-verified", "-primary", "pk")
        known = same.select_related("user").first()
        mailing.enqueue(
            kind=template_prefix.replace("/email/", "."),
            recipient=known.user if known else None,
            address=email,
            subject=message.subject,
            text=str(message.body),
            html=render_to_string("email/plain.html", {"text": message.body}),
        )
        if settings.DEMO:
            demo.keep_link(self.request, context.get("activate_url") or context.get("password_reset_url"))

    def get_client_ip(self, request: HttpRequest) -> str:
        """For limits and the list of devices. Behind a Unix socket everybody is one address."""
        return client_address(request) or "0.0.0.0"  # noqa: S104

    def _get_login_attempts_cache_key(self, request: HttpRequest, **credentials: Any) -> str:
        """By the account alone: allauth adds the host, which a client can write in many ways."""
        login: str = credentials.get("email", credentials.get("username", ""))
        return login.lower()

    def pre_authenticate(self, request: HttpRequest, **credentials: Any) -> None:
        """Too many wrong passwords are a 429 like every other limit, whether or not this one is right."""
        try:
            super().pre_authenticate(request, **credentials)
        except ValidationError as error:
            raise ImmediateHttpResponse(respond_429(request)) from error

    def send_account_already_exists_mail(self, email: str) -> None:
        """Takes as long as making an account, so that the time does not tell who has one."""
        make_password("a password that is not kept")
        super().send_account_already_exists_mail(email)
