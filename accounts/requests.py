from django.http import HttpRequest

from accounts.models import User


class SignedInRequest(HttpRequest):
    """The type of a request behind `login_required`."""

    user: User
