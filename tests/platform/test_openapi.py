"""The API does what its OpenAPI document says, whatever is sent to it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from django.core.management import call_command
from django.core.wsgi import get_wsgi_application
from drf_spectacular.generators import SchemaGenerator
from hypothesis import HealthCheck, settings
from rest_framework.test import APIClient

from accounts.models import User


def test_the_document_is_valid_and_complete(tmp_path: Path) -> None:
    file = tmp_path / "openapi.json"
    call_command("spectacular", format="openapi-json", file=str(file), validate=True, fail_on_warn=True)
    paths = json.loads(file.read_text())["paths"]
    known = {"/api/v1/analyses/", "/api/v1/appointments/{public_id}/note/sign/", "/api/v1/health/"}
    assert known <= paths.keys()


def wsgi(environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
    """The application, made when it is called: the settings of a test are in force only then."""
    return get_wsgi_application()(environ, start_response)


document = SchemaGenerator(api_version="1").get_schema(request=None, public=True)  # type: ignore[no-untyped-call]
# Health answers 503 while no worker is there, which the fuzzer would take for a crash.
schema = schemathesis.openapi.from_dict(json.loads(json.dumps(document, default=str))).exclude(
    path="/api/v1/health/"
)
schema.app = wsgi


@pytest.fixture
def token(transactional_db: None, alice: User, app_of: Callable[[User], APIClient]) -> str:
    return str(vars(app_of(alice))["_credentials"]["HTTP_X_SESSION_TOKEN"])


@schema.parametrize()  # type: ignore[untyped-decorator]
@settings(max_examples=12, suppress_health_check=list(HealthCheck))
def test_fuzzed_calls_are_answered_as_documented(case: Any, token: str) -> None:
    # No schema can say that bytes are an image.
    excluded = [schemathesis.checks.positive_data_acceptance]
    if case.method == "GET":
        # A parameter that nobody knows is ignored, as is usual.
        excluded.append(schemathesis.checks.negative_data_rejection)
    case.call_and_validate(headers={"X-Session-Token": token}, excluded_checks=excluded)
