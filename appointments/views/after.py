"""What is written and put to a visit: notes, files, ratings, requests for pictures."""

from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.access_log import record_access
from accounts.models import Opened, Role
from accounts.permissions import role_required
from accounts.requests import SignedInRequest
from appointments import notes, photos, ratings, visit_files
from appointments.forms.visits import FileForm, NoteForm, PhotoForm, RatingForm
from appointments.models import Appointment
from appointments.views.visits import find, find_as_doctor, show
from dermaplatform.files import private_file
from dermaplatform.throttling import UPLOAD, limited


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def note(request: SignedInRequest, public_id: UUID) -> HttpResponse:
    """Write about a visit: keep a draft, or sign it for the patient."""
    appointment = find_as_doctor(request, public_id)
    latest = notes.latest_signed(appointment)
    posted = request.method == "POST"
    initial = NoteForm.words_of(notes.draft_of(appointment) or latest)
    initial["after"] = str(latest.public_id) if latest else ""
    form = NoteForm(request.POST if posted else None, initial=initial)
    if posted and form.is_valid() and _keep(request, appointment, form):
        return redirect(appointment)
    if not posted and appointment.status not in notes.DRAFTED_IN:
        return redirect(appointment)
    record_access(request, appointment.patient, Opened.VISIT, appointment.public_id)
    context = {
        "form": form,
        "visit": appointment,
        "latest": latest,
        "may_sign": appointment.status in notes.SIGNED_IN,
    }
    return render(request, "appointments/visits/note.html", context, status=422 if posted else 200)


def _keep(request: SignedInRequest, appointment: Appointment, form: NoteForm) -> bool:
    """Sign or keep; False, and the reason in the form, if the service refuses."""
    words = form.words()
    try:
        if "sign" in request.POST:
            after = form.cleaned_data["after"]
            notes.sign(appointment=appointment, by=request.user, words=words, after=after)
            messages.success(request, _("Signed. The patient can read it now."))
        else:
            notes.save_draft(appointment=appointment, by=request.user, words=words)
            messages.success(request, _("The draft is saved. Only you see it."))
    except ValidationError as error:
        form.add_error(None, error)
        return False
    return True


@never_cache
@require_POST
@limited(UPLOAD)
@role_required(Role.PATIENT, Role.DOCTOR)
def add_file(request: SignedInRequest, public_id: UUID) -> HttpResponse:
    appointment = find(request, public_id)
    form = FileForm(request.POST, request.FILES)
    if form.is_valid():
        answers = form.cleaned_data
        try:
            visit_files.add(
                appointment=appointment, by=request.user, upload=answers["file"], title=answers["title"]
            )
        except ValidationError as error:
            form.add_error(None, error)
        else:
            messages.success(request, _("The file is added."))
            return redirect(appointment)
    return show(request, appointment, status=422, file_form=form)


@require_safe
@login_required
def file(request: SignedInRequest, public_id: UUID, file_id: UUID) -> HttpResponseBase:
    """A file, for the two who meet; a doctor's look at it is written down."""
    appointment = find(request, public_id)
    found = get_object_or_404(visit_files.files_of(appointment, request.user), public_id=file_id)
    record_access(request, appointment.patient, Opened.FILE, found.public_id)
    return private_file(found.file, found.content_type, save_as=visit_files.save_as(found), max_age=0)


@require_POST
@login_required
def remove_file(request: SignedInRequest, public_id: UUID, file_id: UUID) -> HttpResponse:
    """Whoever added it takes it back; to the other one it is not theirs to remove."""
    appointment = find(request, public_id)
    found = get_object_or_404(visit_files.files_of(appointment, request.user), public_id=file_id)
    if found.by_id != request.user.pk:
        raise PermissionDenied
    record_access(request, appointment.patient, Opened.FILE, found.public_id)
    try:
        visit_files.remove(file=found, by=request.user)
    except ValidationError as error:
        messages.error(request, error.messages[0])
    else:
        messages.success(request, _("The file is removed."))
    return redirect(appointment)


@require_POST
@login_required
def rate(request: SignedInRequest, public_id: UUID) -> HttpResponse:
    appointment = find(request, public_id)
    if appointment.patient_id != request.user.pk:
        raise PermissionDenied
    form = RatingForm(request.POST)
    if form.is_valid():
        try:
            ratings.rate(appointment=appointment, by=request.user, **form.cleaned_data)
        except ValidationError as error:
            messages.error(request, error.messages[0])
        else:
            messages.success(request, _("Thank you for your rating."))
        return redirect(appointment)
    return show(request, appointment, status=422, rating_form=form)


@require_POST
@login_required
def ask_for_photo(request: SignedInRequest, public_id: UUID) -> HttpResponse:
    appointment = find_as_doctor(request, public_id)
    form = PhotoForm(request.POST)
    if form.is_valid():
        try:
            photos.ask(appointment=appointment, by=request.user, **form.cleaned_data)
        except ValidationError as error:
            messages.error(request, error.messages[0])
        else:
            messages.success(request, _("Your patient finds this among the things to do, and is reminded."))
        return redirect(appointment)
    return show(request, appointment, status=422, photo_form=form)


@require_POST
@login_required
def withdraw_photo(request: SignedInRequest, public_id: UUID, photo_id: UUID) -> HttpResponse:
    appointment = find_as_doctor(request, public_id)
    wanted = get_object_or_404(appointment.photo_requests.all(), public_id=photo_id)
    try:
        photos.withdraw(request=wanted, by=request.user)
    except ValidationError as error:
        messages.error(request, error.messages[0])
    else:
        messages.success(request, _("The request is withdrawn."))
    return redirect(appointment)
