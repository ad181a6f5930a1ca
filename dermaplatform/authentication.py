"""How a mobile client says who it is."""

from typing import Any

from allauth.headless.contrib.rest_framework.authentication import XSessionTokenAuthentication
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from accounts import idle, mfa


class SessionTokenAuthentication(XSessionTokenAuthentication):  # type: ignore[misc]
    """The `X-Session-Token` of allauth's sign-in for apps; a token that is not good is 401, not anonymous."""

    def authenticate(self, request: Request) -> Any:
        user_and_token = super().authenticate(request)
        if user_and_token is None and self.get_session_token(request):
            raise AuthenticationFailed
        if user_and_token is not None:
            user, session = user_and_token
            mfa.refuse_app(user, request)
            if idle.is_watched(user):
                idle.note_use(session)
                if session.modified:
                    session.save()
        return user_and_token

    def authenticate_header(self, request: Request) -> str:
        return 'X-Session-Token realm="derma"'


class SessionTokenScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = SessionTokenAuthentication
    name = "sessionToken"

    def get_security_definition(self, auto_schema: object) -> dict[str, str]:
        return {
            "type": "apiKey",
            "in": "header",
            "name": "X-Session-Token",
            "description": "`meta.session_token` of POST /_allauth/app/v1/auth/login",
        }
