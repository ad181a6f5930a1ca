"""The pages as a browser without JavaScript gets them, DEBUG off."""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.core.files.base import ContentFile
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.template.loader import render_to_string
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import Consent, ConsentKind, User
from accounts.selectors import CONSENT_VERSIONS, has_consent
from diagnosis import presentation, wording
from diagnosis.models import Analysis, Problem
from ml_models.taxonomy import CODES, LOCALIZATIONS, ImageType, Reason, Urgency
from tests import images

Browse = Callable[[User], Client]
NEW = "/analyses/new/"
ANSWERS = {"image_type": "dermatoscopic", "body_site": "back"}
ALLAUTH_PAGES = ("login", "signup", "password/reset", "password/reset/done", "inactive", "confirm-email")
RESULT = {"status": "done", "top": "mel", "release": "test"}
PROBLEMS = [problem for problem in Problem if problem != Problem.NONE]


@pytest.fixture
def picture() -> SimpleUploadedFile:
    return images.upload(images.encoded(images.picture()))


@pytest.fixture
def make(db: None) -> Callable[..., Analysis]:
    """An analysis in any state, straight into the database."""

    def made(patient: User, **fields: Any) -> Analysis:
        analysis = Analysis(patient=patient, sha256=uuid4().hex, width=300, height=240, **fields)
        if analysis.status == "done" and not analysis.probabilities:
            analysis.probabilities = {code: 0.65 if code == "mel" else 0.05 for code in CODES}
        if not analysis.is_waiting:
            analysis.finished_at = timezone.now()
        data = images.encoded(images.picture())
        analysis.image.save("image.png", ContentFile(data), save=False)
        analysis.thumbnail.save("thumbnail.jpg", ContentFile(data), save=False)
        analysis.save()
        return analysis

    return made


def text(response: Any) -> str:
    """What a reader sees: tags and runs of space taken out."""
    words = re.sub(r"<[^>]+>", " ", response.content.decode())
    return re.sub(r"\s+", " ", words)


def read(response: Any) -> bytes:
    """The whole of a file: a response that is not read leaves the file open."""
    return b"".join(response.streaming_content)


def test_debug_is_off(settings: Any) -> None:
    assert not settings.DEBUG


# Who sees what


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/", "/about/", *(f"/accounts/{page}/" for page in ALLAUTH_PAGES)])
def test_visitors_read_these_pages_in_our_look(client: Client, path: str) -> None:
    response = client.get(path)
    assert response.status_code == 200
    assert "css/site.css" in response.content.decode()
    assert "not a diagnosis" in text(response)


@pytest.mark.django_db
def test_visitors_sign_in_first(client: Client) -> None:
    for path in ("/analyses/", NEW, f"/analyses/{uuid4()}/"):
        assert client.get(path).headers["Location"] == f"/accounts/login/?next={path}"


def test_each_role_has_its_home(browse: Browse, alice: User, chen: User, eve: User) -> None:
    for user in (alice, chen, eve):
        assert f"Hello, {user.name}" in text(browse(user).get("/"))


def test_only_patients_send_and_list(browse: Browse, chen: User, eve: User) -> None:
    for user in (chen, eve):
        for path in ("/analyses/", NEW):
            response = browse(user).get(path)
            assert response.status_code == 403
            assert "not for you" in text(response)


@pytest.mark.parametrize("other", ["bob", "chen", "eve"])
def test_nobody_else_sees_an_analysis(
    browse: Browse, make: Callable[..., Analysis], alice: User, request: pytest.FixtureRequest, other: str
) -> None:
    url = make(alice).get_absolute_url()
    stranger = browse(request.getfixturevalue(other))
    for path in (url, f"{url}state/", f"{url}image/", f"{url}thumbnail/"):
        assert stranger.get(path).status_code == 404


def test_a_page_that_is_not_there_is_ours(browse: Browse, alice: User) -> None:
    response = browse(alice).get("/nothing/")
    assert response.status_code == 404
    assert "There is nothing here" in text(response)


@pytest.mark.django_db
def test_a_failure_on_our_side_has_a_page(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*args: object) -> None:
        raise RuntimeError

    monkeypatch.setattr(presentation, "bars", fails)
    client.raise_request_exception = False
    response = client.get("/")
    assert response.status_code == 500
    assert "Something went wrong on our side" in text(response)


@pytest.mark.django_db
def test_a_form_without_its_token_says_so() -> None:
    response = Client(enforce_csrf_checks=True).post("/accounts/login/", {})
    assert response.status_code == 403
    assert "This form is too old" in text(response)


def test_pages_with_health_data_are_not_kept_by_caches(browse: Browse, alice: User) -> None:
    for path in ("/", "/analyses/", NEW):
        assert "no-store" in browse(alice).get(path).headers["Cache-Control"]


# A new analysis


def test_the_form_works_without_javascript(browse: Browse, alice: User, picture: SimpleUploadedFile) -> None:
    response = browse(alice).post(NEW, {**ANSWERS, "image": picture})
    analysis = Analysis.objects.get()
    assert response.headers["Location"] == analysis.get_absolute_url()
    assert (analysis.patient, analysis.body_site, analysis.image_type) == (alice, "back", "dermatoscopic")


def test_a_script_gets_the_address_and_fetches_the_page_itself(
    browse: Browse, alice: User, picture: SimpleUploadedFile
) -> None:
    script = {"X-Requested-With": "XMLHttpRequest"}
    response = browse(alice).post(NEW, {**ANSWERS, "image": picture}, headers=script)
    assert response.status_code == 201
    assert response.headers["Location"] == Analysis.objects.get().get_absolute_url()


def test_a_picture_from_the_camera_counts_as_well(
    browse: Browse, alice: User, picture: SimpleUploadedFile
) -> None:
    browse(alice).post(NEW, {**ANSWERS, "image_type": "phone", "camera": picture})
    assert Analysis.objects.get().image_type == "phone"


def test_the_same_picture_twice_leads_to_its_analysis(browse: Browse, alice: User) -> None:
    client = browse(alice)
    data = images.encoded(images.picture())
    first = client.post(NEW, {**ANSWERS, "image": images.upload(data)})
    again = client.post(NEW, {**ANSWERS, "image": images.upload(data)}, follow=True)
    assert again.redirect_chain == [(first.headers["Location"], 302)]
    assert "You sent this picture before" in text(again)


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"no picture at all", "not_an_image"),
        (b"", "empty"),
        (images.encoded(images.picture(), "BMP"), "unsupported_format"),
        (images.encoded(images.picture((200, 150))), "too_small"),
        (images.encoded(images.picture((1000, 240))), "too_narrow"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_refused_file_loses_no_other_answer(browse: Browse, alice: User, data: bytes, code: str) -> None:
    response = browse(alice).post(NEW, {**ANSWERS, "image": images.upload(data)})
    page = response.content.decode()
    assert response.status_code == 422
    # At the field, and in the summary that receives the focus.
    assert page.count(wording.upload_refusal(code)) >= 2
    assert re.search(r'id="form-errors"[^>]*tabindex="-1"', page)
    assert re.search(r'value="dermatoscopic"[^>]*checked', page)
    assert re.search(r'value="back"[^>]*selected', page)
    assert not Analysis.objects.exists()


def test_what_is_missing_is_said_where_it_is_missing(browse: Browse, alice: User) -> None:
    response = browse(alice).post(NEW, {})
    assert response.status_code == 422
    for sentence in ("Choose a picture, or take one.", "Choose one of the two.", "Choose the place"):
        assert text(response).count(sentence) >= 2
    assert 'aria-invalid="true"' in response.content.decode()


def test_an_unknown_place_is_refused(browse: Browse, alice: User, picture: SimpleUploadedFile) -> None:
    response = browse(alice).post(NEW, {**ANSWERS, "body_site": "moon", "image": picture})
    assert response.status_code == 422
    assert not Analysis.objects.exists()


def test_consent_is_asked_once(browse: Browse, carol: User, picture: SimpleUploadedFile) -> None:
    client = browse(carol)
    assert 'name="consent"' in client.get(NEW).content.decode()
    refused = client.post(NEW, {**ANSWERS, "image": picture})
    assert "Without your consent" in text(refused)
    assert not has_consent(carol, ConsentKind.CARE)
    picture.seek(0)
    agreed = {**ANSWERS, "image": picture, "consent": "on", "version": CONSENT_VERSIONS[ConsentKind.CARE]}
    assert client.post(NEW, agreed).status_code == 302
    assert has_consent(carol, ConsentKind.CARE)
    assert 'name="consent"' not in client.get(NEW).content.decode()


@pytest.mark.parametrize("read", [{"version": "1"}, {"version": ""}, {}])
def test_a_consent_to_a_text_that_was_not_shown_is_not_taken(
    browse: Browse,
    carol: User,
    picture: SimpleUploadedFile,
    monkeypatch: pytest.MonkeyPatch,
    read: dict[str, str],
) -> None:
    monkeypatch.setitem(CONSENT_VERSIONS, ConsentKind.CARE, 2)
    monkeypatch.setattr("accounts.consents.render_to_string", lambda name: "The second text.")
    refused = browse(carol).post(NEW, {**ANSWERS, "image": picture, "consent": "on", **read})
    assert refused.status_code == 422
    assert not Consent.objects.exists()
    assert "Please read the new one; nothing was recorded." in text(refused)
    page = refused.content.decode()
    taken_over = page[page.index('data-errors="version"') : page.index('name="consent"')]
    assert "The second text." in taken_over
    assert re.search(r'name="version"[^>]*value="2"', taken_over)
    assert not re.search(r'name="consent"[^>]*checked', page)


def test_sending_again_asks_nothing_twice(
    browse: Browse, make: Callable[..., Analysis], alice: User, bob: User
) -> None:
    failed = make(alice, status="failed", problem="gave_up", body_site="face", image_type="phone")
    path = f"{NEW}?again={failed.public_id}"
    assert re.search(r'value="face"[^>]*selected', browse(alice).get(path).content.decode())
    assert not re.search(r'value="face"[^>]*selected', browse(bob).get(path).content.decode())
    assert browse(alice).get(f"{NEW}?again=nonsense").status_code == 200


# Waiting, and what comes after it


def test_waiting_updates_by_itself_with_and_without_javascript(
    browse: Browse, make: Callable[..., Analysis], alice: User
) -> None:
    analysis = make(alice)
    page = browse(alice).get(analysis.get_absolute_url()).content.decode()
    assert "being examined" in page
    assert re.search(r"<noscript>\s*<meta http-equiv=\"refresh\"", page)
    (address,) = re.findall(r'hx-get="([^"]+)"', page)
    assert browse(alice).get(address).status_code == 204


def test_waiting_becomes_the_result(browse: Browse, make: Callable[..., Analysis], alice: User) -> None:
    analysis = make(alice, **RESULT, urgency="soon")
    state = browse(alice).get(f"{analysis.get_absolute_url()}state/?seen=queued-1")
    assert wording.urgency_headline("soon") in text(state)
    assert "hx-trigger" not in state.content.decode()
    assert 'id="announce"' in state.content.decode()


def test_a_long_wait_is_explained(browse: Browse, make: Callable[..., Analysis], alice: User) -> None:
    analysis = make(alice, created_at=timezone.now() - timedelta(seconds=61))
    assert "longer than usual" in text(browse(alice).get(analysis.get_absolute_url()))


@pytest.mark.django_db
def test_a_session_that_ended_while_waiting_reloads_the_page(client: Client) -> None:
    response = client.get(f"/analyses/{uuid4()}/state/", headers={"HX-Request": "true"})
    assert response.headers["HX-Refresh"] == "true"


# Results


@pytest.mark.parametrize("urgency", ["urgent", "soon", "routine"])
def test_a_result_says_what_to_do_before_any_figure(
    browse: Browse, make: Callable[..., Analysis], alice: User, urgency: str
) -> None:
    words = text(browse(alice).get(make(alice, **RESULT, urgency=urgency).get_absolute_url()))
    assert words.index(wording.urgency_advice(urgency)) < words.index("65 %")
    for code in CODES:
        assert wording.class_name(code).replace("'", "&#x27;") in words
    assert "not a diagnosis" in words
    assert "Not validated on darker skin" in words
    assert "test" in words


def test_no_page_calls_a_spot_benign_normal_or_healthy(
    browse: Browse, make: Callable[..., Analysis], alice: User
) -> None:
    for urgency in Urgency:
        words = text(browse(alice).get(make(alice, **RESULT, urgency=urgency).get_absolute_url())).lower()
        assert not re.search(r"\b(benign|normal|healthy|all clear|malignant)\b", words)


@pytest.mark.parametrize("reason", ["phone_photo", "not_a_lesion", "out_of_domain"])
def test_figures_of_a_picture_that_the_computer_cannot_know_are_withheld(
    browse: Browse, make: Callable[..., Analysis], alice: User, reason: str
) -> None:
    analysis = make(alice, **RESULT, urgency="cannot_assess", reasons=[reason])
    words = text(browse(alice).get(analysis.get_absolute_url()))
    assert "This does not mean that the spot is harmless." in words
    assert wording.reason_sentence(reason) in words
    assert "65 %" not in words
    assert "Melanoma" not in words


@pytest.mark.parametrize("reason", ["uncertain", "blurred"])
def test_figures_of_an_uncertain_result_are_folded_behind_a_warning(
    browse: Browse, make: Callable[..., Analysis], alice: User, reason: str
) -> None:
    analysis = make(alice, **RESULT, urgency="cannot_assess", reasons=[reason])
    page = browse(alice).get(analysis.get_absolute_url()).content.decode()
    fold = page[page.index("<details", page.index("</header>")) :]
    assert fold.index("do not draw conclusions") < fold.index("65\u00a0%")
    assert "65\u00a0%" not in page[: page.index(fold)]


@pytest.mark.parametrize("problem", PROBLEMS)
def test_without_a_result_there_is_a_sentence_and_a_way_on(
    browse: Browse, make: Callable[..., Analysis], alice: User, problem: Problem
) -> None:
    status = "rejected" if problem == Problem.UNDECODABLE else "failed"
    analysis = make(alice, status=status, problem=problem, log="Traceback")
    response = browse(alice).get(analysis.get_absolute_url())
    assert wording.job_problem(problem) in text(response)
    assert f"{NEW}?again={analysis.public_id}" in response.content.decode()
    assert "Traceback" not in text(response)


def test_each_problem_is_told_in_a_sentence_of_its_own() -> None:
    assert len({wording.job_problem(problem) for problem in PROBLEMS}) == len(PROBLEMS)


def test_images_are_sent_as_what_they_are(browse: Browse, make: Callable[..., Analysis], alice: User) -> None:
    url = make(alice).get_absolute_url()
    for part, content_type in (("image", "image/png"), ("thumbnail", "image/jpeg")):
        response = browse(alice).get(f"{url}{part}/")
        assert response.headers["Content-Type"] == content_type
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert "private" in response.headers["Cache-Control"]
        assert read(response)


# History and home


def test_an_empty_history_offers_the_first_step(browse: Browse, alice: User) -> None:
    response = browse(alice).get("/analyses/")
    assert "Nothing here yet" in text(response)
    assert f'href="{NEW}"' in response.content.decode()


def test_the_history_has_pages_of_twenty_the_newest_first(
    browse: Browse, make: Callable[..., Analysis], alice: User, bob: User
) -> None:
    now = timezone.now()
    made = [make(alice, created_at=now - timedelta(hours=hour)) for hour in range(21)]
    make(bob)
    first, second = (browse(alice).get(f"/analyses/?page={page}").content.decode() for page in (1, 2))
    shown = re.findall(r'class="thing__go"\s+href="([^"]+)"', first)
    assert shown == [analysis.get_absolute_url() for analysis in made[:20]]
    assert re.findall(r'class="thing__go"\s+href="([^"]+)"', second) == [made[20].get_absolute_url()]
    assert "Page 2 of 2" in second
    assert "21 hours" not in first


def test_a_longer_history_takes_no_more_queries(
    browse: Browse, make: Callable[..., Analysis], alice: User
) -> None:
    client = browse(alice)
    counts = []
    for number in (1, 9):
        for _ in range(number):
            make(alice)
        with CaptureQueriesContext(
            connection,
        ) as queries:
            client.get("/analyses/")
        counts.append(len(queries))
    assert counts[0] == counts[1] <= 6


def test_home_shows_last_results_and_what_to_do(
    browse: Browse, make: Callable[..., Analysis], alice: User
) -> None:
    now = timezone.now()
    make(alice, status="failed", problem="gave_up", body_site="ear", created_at=now - timedelta(hours=4))
    make(alice, status="failed", problem="gave_up", body_site="hand", created_at=now - timedelta(hours=3))
    make(alice, **RESULT, urgency="routine", body_site="ear", created_at=now - timedelta(hours=2))
    make(alice, **RESULT, urgency="urgent", body_site="back", created_at=now - timedelta(hours=1))
    words = text(browse(alice).get("/"))
    assert "Back: Have this spot checked soon" in words
    assert "Hand: send the picture again" in words
    assert "Ear: send the picture again" not in words
    assert "1 hour ago" in words


def test_what_is_urgent_stays_to_do_however_much_came_after_it(
    make: Callable[..., Analysis], alice: User, bob: User
) -> None:
    now = timezone.now()

    def ago(minutes: int, urgency: str) -> Analysis:
        return make(alice, **RESULT, urgency=urgency, created_at=now - timedelta(minutes=minutes))

    make(alice, **RESULT, urgency="urgent", created_at=now - timedelta(days=31))
    make(bob, **RESULT, urgency="urgent")
    urgent, soon = ago(90, "urgent"), ago(80, "soon")
    for minutes in range(6):
        ago(minutes, "routine")
    unclear = [ago(10 + minutes, "cannot_assess") for minutes in range(6)]
    mine = Analysis.objects.filter(patient=alice)
    with CaptureQueriesContext(connection) as queries:
        found = [todo.analysis for todo in presentation.todos(mine)]
    assert found == [urgent, soon, *unclear[:3]]
    assert len(queries) == 1


def test_what_it_has_learned_from_is_said_where_the_release_says_it(client: Client, db: None) -> None:
    words = text(client.get("/about/"))
    assert "the page about the classifier names the collections" in words
    assert "HAM10000" not in words


@pytest.mark.parametrize(("days", "sentence"), [(0, "today"), (1, "in one day"), (7, "in 7 days")])
def test_a_licence_on_its_last_day_runs_out_today(days: int, sentence: str) -> None:
    context = {"name": "Mei Chen", "days_left": days, "link": "https://derma.example.org/"}
    for file in ("body.html", "text.txt"):
        mail = render_to_string(f"email/licence_reminder/{file}", context)
        assert f"your licence runs out {sentence}." in mail


# Accounts


@pytest.mark.django_db
def test_demo_accounts_are_shown_in_the_demo_only(client: Client, settings: Any) -> None:
    assert "alice@example.org" not in text(client.get("/accounts/login/"))
    settings.DEMO = True
    assert "alice@example.org" in text(client.get("/accounts/login/"))


def test_the_demo_shows_the_link_of_the_mail(client: Client, settings: Any, alice: User) -> None:
    settings.DEMO = True
    response = client.post("/accounts/password/reset/", {"email": alice.email}, follow=True)
    (link,) = re.findall(r'href="(http[^"]+/password/reset/key/[^"]+)"', response.content.decode())
    assert "Choose a new password" in text(client.get(link, follow=True))


@pytest.mark.parametrize(
    ("page", "look"),
    [
        ("email", "settings"),
        ("password/change", "settings"),
        ("devices", "settings"),
        ("2fa", "settings"),
        ("reauthenticate", "entrance"),
        ("logout", "entrance"),
    ],
)
def test_account_pages_are_in_our_look(browse: Browse, alice: User, page: str, look: str) -> None:
    response = browse(alice).get(f"/accounts/{page}/")
    assert response.status_code == 200
    assert f'class="{look}"' in response.content.decode()


def test_no_field_has_a_placeholder_instead_of_a_label(client: Client, db: None) -> None:
    for page in ("login", "signup", "password/reset"):
        assert "placeholder=" not in client.get(f"/accounts/{page}/").content.decode()


# Words


def test_every_code_has_its_words() -> None:
    for code in CODES:
        assert wording.class_name(code) != code
        assert wording.class_sentence(code).endswith(".")
    assert {site for site, _ in wording.body_site_choices()} == set(LOCALIZATIONS)
    assert {kind for kind, _ in wording.image_type_choices()} == set(ImageType)
    sentences = {wording.reason_sentence(reason) for reason in Reason}
    assert len(sentences) == len(Reason)
    assert len({wording.urgency_advice(urgency) for urgency in Urgency}) == len(Urgency)


def test_the_urgent_advice_names_the_weeks_of_the_setting(settings: Any) -> None:
    assert "within 2 weeks" in wording.urgency_advice("urgent")
    settings.DERMA_URGENT_WEEKS = 1
    assert "within 1 week," in wording.urgency_advice("urgent")


def test_the_limit_in_words_is_the_limit_in_force(settings: Any) -> None:
    assert "15 MB" in wording.upload_refusal("too_large")
    settings.DERMA_MAX_UPLOAD_BYTES = 3_000_000
    assert "3 MB" in wording.upload_refusal("too_large")


def test_a_probability_is_never_a_certainty() -> None:
    assert [wording.percent(p).replace("\u00a0", " ") for p in (0.0, 0.004, 0.01, 0.4567, 0.996)] == [
        "under 1 %",
        "under 1 %",
        "1 %",
        "46 %",
        "over 99 %",
    ]


def test_unknown_codes_give_the_careful_words() -> None:
    assert wording.urgency_headline("?") == wording.urgency_headline("cannot_assess")
    assert wording.job_problem("?") == wording.job_problem("gave_up")
    assert wording.upload_refusal("?") == wording.upload_refusal("not_an_image")
