from collections.abc import Callable

from django.http import Http404, HttpRequest, HttpResponse

from dermaplatform import problems


class OwnNotFound:
    """What is not there is told in our own words with DEBUG too, because the demo has it on."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if response.status_code == 404 and request.resolver_match is None:
            return problems.not_found(request)
        return response

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        return problems.not_found(request, error) if isinstance(error, Http404) else None
