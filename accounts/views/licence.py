"""A doctor's licence: its state and history, handing it in, answering, taking it back."""

from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import ValidationError
from django.http import Http404, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts import verification
from accounts.documents import PDF, document_page
from accounts.forms.doctors import AnswerForm, LicenceForm
from accounts.models import ApplicationStatus, DoctorApplication, Role
from accounts.permissions import role_required
from accounts.requests import SignedInRequest
from dermaplatform.files import private_file
from dermaplatform.throttling import UPLOAD, limited


@never_cache
@require_safe
@role_required(Role.DOCTOR)
def licence(request: SignedInRequest) -> HttpResponse:
    """Where a doctor stands, what to do next, and what happened until now."""
    applications = list(
        verification.visible_applications(request.user)
        .prefetch_related("events")
        .order_by("-submitted_at", "-pk")
    )
    context = {
        "applications": applications,
        "standing": verification.standing_application(request.user),
        "pending": verification.pending_application(request.user),
        "latest": applications[0] if applications else None,
    }
    return render(request, "accounts/licence/licence.html", context)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@limited(UPLOAD)
@role_required(Role.DOCTOR)
def apply(request: SignedInRequest) -> HttpResponse:
    """Hand in a licence, for the first time, again, or to renew it."""
    if verification.pending_application(request.user):
        return redirect("accounts:licence")
    posted = request.method == "POST"
    latest = verification.visible_applications(request.user).order_by("-submitted_at").first()
    form = LicenceForm(
        request.POST if posted else None,
        request.FILES if posted else None,
        initial=LicenceForm.answers_of(latest),
    )
    if posted and form.is_valid():
        try:
            verification.submit_application(
                doctor=request.user, licence=form.licence(), document=form.cleaned_data["document"]
            )
        except ValidationError as error:
            form.add_error(None, error)
        else:
            messages.success(request, _("Thank you. We look at your licence and write to you."))
            return redirect("accounts:licence")
    context = {"form": form, "standing": verification.standing_application(request.user)}
    return render(request, "accounts/licence/apply.html", context, status=422 if posted else 200)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@limited(UPLOAD)
@role_required(Role.DOCTOR)
def answer(request: SignedInRequest) -> HttpResponse:
    """Give what administrators asked for."""
    application = verification.pending_application(request.user)
    if application is None or application.status != ApplicationStatus.MORE_ASKED:
        return redirect("accounts:licence")
    posted = request.method == "POST"
    form = AnswerForm(
        request.POST if posted else None,
        request.FILES if posted else None,
        initial=AnswerForm.answers_of(application),
    )
    if posted and form.is_valid() and _answer(request, application, form):
        return redirect("accounts:licence")
    context = {"form": form, "asked": application.events.last()}
    return render(request, "accounts/licence/answer.html", context, status=422 if posted else 200)


def _answer(request: SignedInRequest, application: DoctorApplication, form: AnswerForm) -> bool:
    """Hand a valid answer to the service; False, and the reason in the form, if it refuses."""
    try:
        verification.answer_application(
            application=application,
            doctor=request.user,
            message=form.cleaned_data["message"],
            licence=form.licence(),
            document=form.cleaned_data["document"],
        )
    except ValidationError as error:
        form.add_error(None, error)
        return False
    except verification.Overtaken as overtaken:
        messages.warning(request, overtaken.sentence)
    else:
        messages.success(request, _("Thank you. Your answer is with us."))
    return True


@require_POST
@role_required(Role.DOCTOR)
def withdraw(request: SignedInRequest) -> HttpResponse:
    """Take back what is under way."""
    application = verification.pending_application(request.user)
    try:
        if application is not None:
            verification.withdraw(application=application, by=request.user)
            messages.success(request, _("Your application is taken back."))
    except verification.Overtaken as overtaken:
        messages.warning(request, overtaken.sentence)
    return redirect("accounts:licence")


def _find(request: SignedInRequest, public_id: UUID) -> DoctorApplication:
    return get_object_or_404(verification.visible_applications(request.user), public_id=public_id)


@require_safe
@login_required
def document(request: SignedInRequest, public_id: UUID) -> HttpResponseBase:
    """The document itself. A PDF is saved, not shown: a browser would open it with all that it can do."""
    application = _find(request, public_id)
    name = f"licence-{application.public_id}.pdf" if application.document_type == PDF else ""
    return private_file(application.document, application.document_type, save_as=name, max_age=0)


@never_cache
@require_safe
@role_required(Role.ADMIN)
def page(request: SignedInRequest, public_id: UUID, number: int) -> HttpResponse:
    """A page of a PDF as a picture, for who decides about it; each costs a process of its own."""
    picture = document_page(_find(request, public_id), number)
    if picture is None:
        raise Http404
    headers = {"X-Content-Type-Options": "nosniff", "Content-Security-Policy": "default-src 'none'; sandbox"}
    return HttpResponse(picture, content_type="image/png", headers=headers)
