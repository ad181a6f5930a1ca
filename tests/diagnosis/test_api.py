"""The API as a mobile client sees it."""

import io
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.urls import reverse
from PIL import Image
from rest_framework.test import APIClient

from accounts.models import User
from diagnosis import tasks
from diagnosis.models import Analysis
from ml_models.taxonomy import Reason, Urgency
from tests import images
from tests.conftest import StandInEngine, assessment

App = Callable[[User], APIClient]
Submit = Callable[..., Analysis]
URL = "/api/v1/analyses/"


def send(client: APIClient, data: bytes | None = None, **fields: str) -> Any:
    body: dict[str, Any] = dict(fields)
    body["image"] = images.upload(images.encoded(images.picture()) if data is None else data)
    return client.post(URL, body, format="multipart")


def problem(answer: Any) -> dict[str, Any]:
    """The problem document of an answer, checked for its form."""
    assert answer["Content-Type"] == "application/problem+json"
    body: dict[str, Any] = answer.json()
    assert {"type", "title", "status", "detail", "code"} <= body.keys()
    assert body["status"] == answer.status_code
    return body


def test_an_image_sent_by_an_app_becomes_a_result(alice: User, app_of: App, engine: StandInEngine) -> None:
    client = app_of(alice)
    sent = send(client, image_type="dermatoscopic", body_site="lower extremity")
    assert sent.status_code == 202
    assert sent.json()["status"] == "queued"
    tasks.analyse(Analysis.objects.get().pk)
    answer = client.get(sent.json()["url"])
    body = answer.json()
    assert answer.status_code == 200
    assert body["id"] == sent.json()["id"]
    assert (body["status"], body["top"], body["urgency"], body["reasons"]) == ("done", "mel", "urgent", [])
    assert body["body_site"] == "lower extremity"
    assert body["probabilities"].keys() == {"ak", "bcc", "bkl", "df", "mel", "nv", "scc", "vasc"}
    assert "not a diagnosis" in body["message"]


def test_why_an_image_could_not_be_assessed_is_said_in_words(
    alice: User, app_of: App, engine: StandInEngine
) -> None:
    engine.answer = assessment(urgency=Urgency.CANNOT_ASSESS, reasons=(Reason.TOO_DARK, Reason.UNCERTAIN))
    client = app_of(alice)
    sent = send(client).json()
    assert sent["reasons_in_words"] == []
    tasks.analyse(Analysis.objects.get().pk)
    body = client.get(sent["url"]).json()
    assert body["reasons"] == ["too_dark", "uncertain"]
    assert [reason["code"] for reason in body["reasons_in_words"]] == body["reasons"]
    assert body["reasons_in_words"][0] == {
        "code": "too_dark",
        "sentence": "The picture is too dark.",
        "remedy": "Go to a window or switch on a light, and keep your shadow off the spot.",
    }


def test_before_the_result_its_fields_are_null(alice: User, app_of: App) -> None:
    body = send(app_of(alice)).json()
    assert [body[name] for name in ("top", "probabilities", "urgency", "release")] == [None] * 4


def test_the_image_comes_back_without_metadata_to_its_owner_only(alice: User, bob: User, app_of: App) -> None:
    client = app_of(alice)
    url = send(client, images.rotated_jpeg()).json()["image"]
    answer: Any = client.get(url, headers={"Accept": "image/png"})
    with Image.open(io.BytesIO(b"".join(answer.streaming_content))) as image:
        assert image.size == (300, 240)
        assert not image.getexif()
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["Content-Type"] == "image/png"
    assert app_of(bob).get(url).status_code == 404
    assert APIClient().get(url).status_code == 401


def test_the_same_image_again_answers_with_the_analysis_that_exists(alice: User, app_of: App) -> None:
    client = app_of(alice)
    first, second = send(client), send(client)
    assert (first.status_code, second.status_code) == (202, 200)
    assert first.json()["id"] == second.json()["id"]


@pytest.mark.django_db(transaction=True)
def test_twenty_parallel_sends_make_one_row_and_one_file(alice: User, app_of: App, settings: Any) -> None:
    client = app_of(alice)

    def one(_: int) -> tuple[int, str]:
        try:
            answer = send(client)
            return answer.status_code, answer.json()["id"]
        finally:
            connection.close()

    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(one, range(20)))
    assert sorted({status for status, _ in answers}) == [200, 202]
    assert len({public_id for _, public_id in answers}) == 1
    assert Analysis.objects.count() == 1
    assert len(list(Path(settings.MEDIA_ROOT).rglob("*.png"))) == 1


def test_the_history_comes_in_cursor_pages_newest_first(
    alice: User, bob: User, app_of: App, submit: Submit, django_assert_max_num_queries: Any
) -> None:
    made = [str(submit(alice, seed).public_id) for seed in range(23)]
    submit(bob, 99)
    client = app_of(alice)
    with django_assert_max_num_queries(6):
        first = client.get(URL).json()
    second = client.get(first["next"]).json()
    assert first.keys() == {"next", "previous", "results"}
    assert len(first["results"]) == 20
    assert second["next"] is None
    assert [row["id"] for row in first["results"] + second["results"]] == made[::-1]


ANONYMOUS = [("get", URL), ("post", URL), ("get", URL + "00000000-0000-4000-8000-000000000000/")]


@pytest.mark.parametrize(("method", "url"), ANONYMOUS)
@pytest.mark.parametrize("token", [None, "not-a-token"])
def test_without_a_good_token_it_is_401(db: None, method: str, url: str, token: str | None) -> None:
    client = APIClient()
    if token:
        client.credentials(HTTP_X_SESSION_TOKEN=token)
    answer = getattr(client, method)(url)
    assert answer.status_code == 401
    assert "X-Session-Token" in answer["WWW-Authenticate"]
    assert problem(answer)["code"] == "not_authenticated"


def test_another_patients_analysis_is_not_there(alice: User, bob: User, app_of: App, submit: Submit) -> None:
    answer = app_of(alice).get(reverse("api-analysis-detail", args=[submit(bob).public_id]))
    assert answer.status_code == 404
    assert problem(answer)["code"] == "not_found"


def test_only_patients_send_images(chen: User, app_of: App) -> None:
    answer = send(app_of(chen))
    assert answer.status_code == 403
    assert problem(answer)["code"] == "permission_denied"


def test_without_consent_the_answer_says_where_to_give_it(carol: User, app_of: App) -> None:
    answer = send(app_of(carol))
    assert answer.status_code == 403
    body = problem(answer)
    assert body["code"] == "consent_required"
    assert body["consent_url"].endswith(reverse("accounts:consent"))


def test_an_unknown_body_site_is_400(alice: User, app_of: App) -> None:
    answer = send(app_of(alice), body_site="soul")
    assert answer.status_code == 400
    assert [error["field"] for error in problem(answer)["errors"]] == ["body_site"]


def test_no_file_and_no_form_are_clear_errors(alice: User, app_of: App) -> None:
    client = app_of(alice)
    nothing = client.post(URL, {"body_site": "back"}, format="multipart")
    assert (nothing.status_code, problem(nothing)["errors"][0]["field"]) == (400, "image")
    json = client.post(URL, {"image": "abc"}, format="json")
    assert (json.status_code, problem(json)["code"]) == (415, "unsupported_media_type")


@pytest.mark.parametrize(
    ("data", "code"), [(b"", "empty"), (b"hello", "not_an_image"), (images.bomb_png(), "too_many_pixels")]
)
def test_a_refused_file_has_a_code_and_a_sentence(alice: User, app_of: App, data: bytes, code: str) -> None:
    answer = send(app_of(alice), data)
    body = problem(answer)
    assert (answer.status_code, body["code"]) == (400, code)
    assert body["errors"] == [{"field": "image", "code": code, "detail": body["detail"]}]


def test_a_file_over_the_limit_is_413(alice: User, app_of: App, settings: Any) -> None:
    settings.DERMA_MAX_UPLOAD_BYTES = 1000
    answer = send(app_of(alice), images.encoded(images.picture(), "BMP"))
    assert (answer.status_code, problem(answer)["code"]) == (413, "too_large")


def test_what_is_not_there_is_a_problem_too(client: Any, db: None) -> None:
    assert problem(client.get("/api/v1/nowhere/"))["code"] == "not_found"


def test_a_wrong_method_is_a_problem_too(alice: User, app_of: App) -> None:
    answer = app_of(alice).delete(URL)
    assert (answer.status_code, problem(answer)["code"]) == (405, "method_not_allowed")
