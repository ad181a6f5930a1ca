"""Pages about analyses."""

from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe
from django_htmx.http import HttpResponseClientRefresh

from accounts.access_log import record_access
from accounts.models import ConsentKind, Opened, Role, User
from accounts.permissions import role_required
from accounts.profiles import Why, patient_profile, update_profile
from accounts.requests import SignedInRequest
from accounts.selectors import has_consent
from accounts.services import give_consent
from dermaplatform.throttling import UPLOAD, limited
from diagnosis import presentation
from diagnosis.files import image_response
from diagnosis.forms import NewAnalysisForm
from diagnosis.models import Analysis
from diagnosis.patients import reading
from diagnosis.services import Submission, submit_analysis
from diagnosis.uploads import UploadRefused

PAGE_SIZE = 20


@never_cache
@require_safe
@role_required(Role.PATIENT)
def history(request: SignedInRequest) -> HttpResponse:
    pages = Paginator(Analysis.objects.visible_to(request.user), PAGE_SIZE)
    return render(request, "diagnosis/history.html", {"page": pages.get_page(request.GET.get("page"))})


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@limited(UPLOAD)
@role_required(Role.PATIENT)
def new(request: SignedInRequest) -> HttpResponse:
    """Ask for a picture and queue its analysis. A refused picture leaves the other answers as they are."""
    posted = request.method == "POST"
    form = NewAnalysisForm(
        request.POST if posted else None,
        request.FILES if posted else None,
        asks_consent=not has_consent(request.user, ConsentKind.CARE),
        profile=patient_profile(request.user),
        initial=_answers_of(request),
    )
    if posted and form.is_valid() and (submission := _submit(request.user, form)):
        if not submission.created:
            messages.info(request, _("You sent this picture before. This is its analysis."))
        return _leads_to(request, submission.analysis)
    return render(request, "diagnosis/new.html", {"form": form}, status=422 if posted else 200)


def _leads_to(request: HttpRequest, analysis: Analysis) -> HttpResponse:
    """A redirect; to a script the address alone, which would else fetch the page and use up its message."""
    if request.headers.get("X-Requested-With") == "XMLHttpRequest":
        return HttpResponse(status=201, headers={"Location": analysis.get_absolute_url()})
    return redirect(analysis)


def _submit(patient: User, form: NewAnalysisForm) -> Submission | None:
    """Hand valid answers to the service; None, and the reason in the form, if it refuses."""
    answers = form.cleaned_data
    if answers.get("consent"):
        try:
            # Only what stood on the page is agreed to: 0 is no version at all.
            give_consent(user=patient, kind=ConsentKind.CARE, version=answers["version"] or 0)
        except ValidationError as error:
            form.ask_consent_again(error)
            return None
    if form.about_patient:
        update_profile(patient=patient, by=patient, why=Why.UPLOAD, **form.about_patient)
    try:
        return submit_analysis(
            patient=patient,
            upload=answers["upload"],
            image_type=answers["image_type"],
            body_site=answers["body_site"],
        )
    except UploadRefused as refusal:
        form.add_error("image", refusal.sentence)
    except ValidationError as error:
        form.add_error(None, error)
    return None


def _answers_of(request: SignedInRequest) -> dict[str, str]:
    """The answers of an earlier analysis that is sent again (`?again=<its id>`)."""
    try:
        public_id = UUID(request.GET.get("again", ""))
    except ValueError:
        return {}
    earlier = Analysis.objects.visible_to(request.user).filter(public_id=public_id).first()
    return {"image_type": earlier.image_type, "body_site": earlier.body_site} if earlier else {}


def _find(request: HttpRequest, public_id: UUID) -> Analysis:
    visible = Analysis.objects.visible_to(request.user).select_related("patient")
    return get_object_or_404(visible, public_id=public_id)


def _context(user: User, analysis: Analysis) -> dict[str, object]:
    """What both pages show; `reading` is there if somebody else than the patient looks."""
    return {
        "analysis": analysis,
        "wait": presentation.wait(analysis),
        "bars": presentation.bars(analysis.probabilities or {}),
        "reasons": presentation.reasons(analysis),
        "card": presentation.card(analysis.release) if analysis.is_done else None,
        "reading": None if analysis.patient == user else reading(user, analysis.patient),
    }


@never_cache
@require_safe
@login_required
def detail(request: SignedInRequest, public_id: UUID) -> HttpResponse:
    """An analysis, in other words for a doctor than for the patient."""
    analysis = _find(request, public_id)
    record_access(request, analysis.patient, Opened.ANALYSIS, analysis.public_id)
    folder = "diagnosis" if analysis.patient == request.user else "diagnosis/reader"
    return render(request, f"{folder}/detail.html", _context(request.user, analysis))


@never_cache
@require_safe
def state(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """The part of the page that changes by itself; 204 while it looks as the page (`?seen=`) shows it."""
    if not isinstance(request.user, User):
        # A sign-in page has no place inside of another page: the whole page asks for it.
        htmx = request.headers.get("HX-Request")
        return HttpResponseClientRefresh() if htmx else redirect_to_login(request.get_full_path())
    analysis = _find(request, public_id)
    if analysis.is_waiting and request.GET.get("seen") == presentation.wait(analysis).step:
        return HttpResponse(status=204)
    record_access(request, analysis.patient, Opened.ANALYSIS, analysis.public_id)
    folder = "diagnosis/parts" if analysis.patient == request.user else "diagnosis/reader"
    return render(request, f"{folder}/state.html", {**_context(request.user, analysis), "swapped": True})


@require_safe
@login_required
def image(request: SignedInRequest, public_id: UUID) -> HttpResponseBase:
    analysis = _find(request, public_id)
    record_access(request, analysis.patient, Opened.IMAGE, analysis.public_id)
    return image_response(analysis.image, "image/png", kept=analysis.patient == request.user)


@require_safe
@login_required
def thumbnail(request: SignedInRequest, public_id: UUID) -> HttpResponseBase:
    analysis = _find(request, public_id)
    record_access(request, analysis.patient, Opened.IMAGE, analysis.public_id)
    return image_response(analysis.thumbnail, "image/jpeg", kept=analysis.patient == request.user)
