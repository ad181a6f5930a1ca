"""A private file leaves under a fixed type, is nothing but a file, and is found by nobody else."""

from pathlib import Path
from typing import Any

import pytest
from django.http import Http404, HttpResponseBase
from django.test import Client

from accounts.models import User
from dermaplatform.files import private_file
from diagnosis.models import Analysis

pytestmark = pytest.mark.django_db  # closing a response looks after the connections
DANGEROUS = b"<script>alert(1)</script>"


@pytest.fixture
def analysis(settings: Any) -> Analysis:
    """Whose image turned out to be something else."""
    path = Path(settings.MEDIA_ROOT) / "images" / "a b.png"
    path.parent.mkdir(parents=True)
    path.write_bytes(DANGEROUS)
    return Analysis(image="images/a b.png")


def content(response: HttpResponseBase) -> bytes:
    return b"".join(response) if response.streaming else b""


def test_a_file_is_only_what_we_say_it_is(analysis: Analysis) -> None:
    response = private_file(analysis.image, "image/png")
    assert content(response) == DANGEROUS
    assert response["Content-Type"] == "image/png"
    assert response["X-Content-Type-Options"] == "nosniff"
    assert response["Content-Security-Policy"] == "default-src 'none'; sandbox"
    assert response["Cache-Control"] == "private, max-age=3600"
    response.close()


def test_a_file_to_save_has_a_name_and_is_not_kept(analysis: Analysis) -> None:
    response = private_file(analysis.image, "application/zip", save_as="Ärztin.zip", max_age=0)
    assert response["Content-Disposition"] == "attachment; filename*=utf-8''%C3%84rztin.zip"
    assert response["Cache-Control"] == "no-store"
    response.close()


def test_nginx_sends_it_if_it_may(analysis: Analysis, settings: Any) -> None:
    settings.DERMA_X_ACCEL = "/media/"
    response = private_file(analysis.image, "image/png")
    assert response["X-Accel-Redirect"] == "/media/images/a%20b.png"
    assert (content(response), response["Content-Type"]) == (b"", "image/png")
    assert response["X-Content-Type-Options"] == "nosniff"


def test_a_file_that_is_gone_is_not_found(analysis: Analysis) -> None:
    analysis.image.name = "images/gone.png"
    with pytest.raises(Http404):
        private_file(analysis.image, "image/png")


def test_no_address_leads_to_the_folder_itself(analysis: Analysis, client: Client, alice: User) -> None:
    client.force_login(alice)
    for path in ("/media/images/a%20b.png", "/images/a%20b.png", "/static/../media/images/a%20b.png"):
        assert client.get(path).status_code == 404
