"""Pages of patients, and the home page of everybody."""

from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.http import FileResponse, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe
from django_htmx.http import HttpResponseClientRefresh

from accounts.models import ConsentKind, Role, User
from accounts.permissions import role_required
from accounts.requests import SignedInRequest
from accounts.selectors import has_consent
from accounts.services import give_consent
from diagnosis import presentation
from diagnosis.files import image_response
from diagnosis.forms import NewAnalysisForm
from diagnosis.models import Analysis
from diagnosis.services import Submission, submit_analysis
from diagnosis.uploads import UploadRefused

PAGE_SIZE = 20
ON_HOME = 3


@never_cache
@require_safe
def home(request: HttpRequest) -> HttpResponse:
    """The first page, which depends on who looks."""
    user = request.user
    if not isinstance(user, User):
        return render(request, "home/anonymous.html", {"sample": presentation.bars(presentation.SAMPLE)})
    if not user.is_patient:
        return render(request, f"home/{user.role}.html")
    analyses = Analysis.objects.visible_to(user)
    context = {"recent": analyses[:ON_HOME], "todos": presentation.todos(analyses)}
    return render(request, "home/patient.html", context)


@never_cache
@require_safe
@role_required(Role.PATIENT)
def history(request: SignedInRequest) -> HttpResponse:
    pages = Paginator(Analysis.objects.visible_to(request.user), PAGE_SIZE)
    return render(request, "diagnosis/history.html", {"page": pages.get_page(request.GET.get("page"))})


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@role_required(Role.PATIENT)
def new(request: SignedInRequest) -> HttpResponse:
    """Ask for a picture and queue its analysis. A refused picture leaves the other answers as they are."""
    posted = request.method == "POST"
    form = NewAnalysisForm(
        request.POST if posted else None,
        request.FILES if posted else None,
        asks_consent=not has_consent(request.user, ConsentKind.CARE),
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
        give_consent(user=patient, kind=ConsentKind.CARE)
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
    return get_object_or_404(Analysis.objects.visible_to(request.user), public_id=public_id)


def _context(analysis: Analysis) -> dict[str, object]:
    return {
        "analysis": analysis,
        "wait": presentation.wait(analysis),
        "bars": presentation.bars(analysis.probabilities or {}),
        "reasons": presentation.reasons(analysis),
        "card": presentation.card(analysis.release) if analysis.is_done else None,
    }


@never_cache
@require_safe
@login_required
def detail(request: SignedInRequest, public_id: UUID) -> HttpResponse:
    return render(request, "diagnosis/detail.html", _context(_find(request, public_id)))


@never_cache
@require_safe
def state(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """The part of the page that changes by itself; 204 while it looks as the page (`?seen=`) shows it."""
    if not request.user.is_authenticated:
        # A sign-in page has no place inside of another page: the whole page asks for it.
        htmx = request.headers.get("HX-Request")
        return HttpResponseClientRefresh() if htmx else redirect_to_login(request.get_full_path())
    analysis = _find(request, public_id)
    if analysis.is_waiting and request.GET.get("seen") == presentation.wait(analysis).step:
        return HttpResponse(status=204)
    return render(request, "diagnosis/parts/state.html", {**_context(analysis), "swapped": True})


@require_safe
@login_required
def image(request: SignedInRequest, public_id: UUID) -> FileResponse:
    return image_response(_find(request, public_id).image, "image/png")


@require_safe
@login_required
def thumbnail(request: SignedInRequest, public_id: UUID) -> FileResponse:
    return image_response(_find(request, public_id).thumbnail, "image/jpeg")
