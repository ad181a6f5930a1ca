"""Pages on which a patient picks a time, and books it."""

from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.conf import settings
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from accounts import relations
from accounts.directory import public_doctors
from accounts.models import DoctorProfile, Role, User
from accounts.permissions import role_required
from accounts.requests import SignedInRequest
from appointments import booking, waitlist
from appointments.availability import bookable, has_hours
from appointments.forms.booking import BookForm, ChooseForm, WantedForm
from appointments.models import Appointment, Status, WaitlistEntry
from appointments.picking import Wanted, own_hold, pick, urgent_result
from diagnosis.models import Analysis

# What somebody wrote before the time was sure, in the session: so it outlives a hold that ran out.
DRAFT = "visit_draft"


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def times(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """A doctor's free times, for everybody. A patient who chooses one holds it and goes on to `book`."""
    profile = get_object_or_404(public_doctors(), user__public_id=public_id)
    if request.method == "POST":
        return _choose(request, profile)
    return _show_times(request, profile, WantedForm(request.GET).wanted())


@role_required(Role.PATIENT)
def _choose(request: SignedInRequest, profile: DoctorProfile) -> HttpResponse:
    form = ChooseForm(request.POST)
    wanted = form.wanted()
    if not form.is_valid():
        refused = {"refusal": next(iter(form.errors.values()))[0]}
        return _show_times(request, profile, wanted, status=422, **refused)
    answers = form.cleaned_data
    day = timezone.localtime(answers["start"]).date()
    wanted = Wanted(answers["length"], None, day, wanted.carried)
    try:
        held = booking.hold(
            patient=request.user,
            doctor=profile.user,
            start=answers["start"],
            length=answers["length"],
            urgent=_analysis(request, wanted, urgent=True) is not None,
            follows=_followed(request, profile, wanted),
        )
    except booking.SlotTaken as taken:
        late = {"refusal": taken.message, "alternatives": taken.next_free}
        return _show_times(request, profile, wanted, status=409, **late)
    except ValidationError as error:
        return _show_times(request, profile, wanted, status=422, refusal=error.messages[0])
    return redirect(_book_address(held, wanted.carried.get("analysis", "")))


def _show_times(
    request: HttpRequest, profile: DoctorProfile, wanted: Wanted, *, status: int = 200, **more: Any
) -> HttpResponse:
    """The month, the day and its times: in the reader's zone, for visitors in the doctor's."""
    schedule = bookable(profile.user)
    context: dict[str, Any] = {"profile": profile, "doctor": profile.user, "carried": wanted.carried, **more}
    if schedule is None or not has_hours(schedule):
        return render(request, "appointments/booking/closed.html", context, status=status)
    patient = request.user if isinstance(request.user, User) and request.user.is_patient else None
    zone = request.user.zone if isinstance(request.user, User) else ZoneInfo(schedule.time_zone)
    held = own_hold(patient)
    context |= {
        "schedule": schedule,
        "urgent": _analysis(request, wanted, urgent=True),
        "analysis": _analysis(request, wanted),
        "hold": held,
    }
    context["picking"] = pick(
        schedule,
        wanted,
        patient=patient,
        zone=zone,
        urgent=context["urgent"] is not None,
        except_for=held,  # choosing another time gives it back, with whomever it is
    )
    if patient is not None:
        context |= _waiting(patient, profile.user)
    with timezone.override(zone):
        return render(request, "appointments/booking/times.html", context, status=status)


def _waiting(patient: User, doctor: User) -> dict[str, Any]:
    """Whether this patient waits for that doctor, and the visit that could become earlier."""
    coming = Appointment.objects.visible_to(patient).coming().filter(doctor=doctor)
    return {
        "entry": WaitlistEntry.objects.visible_to(patient).on_list().filter(doctor=doctor).first(),
        "coming": coming.filter(status__in=waitlist.MOVABLE).first(),
    }


def _analysis(request: HttpRequest, wanted: Wanted, *, urgent: bool = False) -> Analysis | None:
    """The patient's own result that goes along; if asked, only one that proves that it is urgent."""
    named = wanted.carried.get("analysis")
    if not (named and isinstance(request.user, User) and request.user.is_patient):
        return None
    if urgent:
        return urgent_result(request.user, [named])
    return Analysis.objects.visible_to(request.user).filter(public_id=named).first()


def _followed(request: SignedInRequest, profile: DoctorProfile, wanted: Wanted) -> Appointment | None:
    named = wanted.carried.get("follows")
    mine = Appointment.objects.visible_to(request.user).filter(doctor=profile.user)
    return mine.filter(public_id=named).first() if named else None


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@role_required(Role.PATIENT)
def book(request: SignedInRequest, public_id: UUID) -> HttpResponse:
    """Turn a hold into a visit. Nothing that was written is lost, whatever became of the hold."""
    hold = _find(request, public_id)
    if _is_booked(hold):
        return redirect(hold)
    entry = WaitlistEntry.objects.visible_to(request.user).filter(offer=hold).first()
    if entry is not None and waitlist.replaced(entry):
        return redirect("appointments:offer", entry.public_id)
    posted = request.method == "POST"
    things = relations.shareable_things(request.user).values()
    form = BookForm(request.POST if posted else None, things=things, initial=_draft(request))
    context: dict[str, Any] = {"form": form, "hold": hold, "entry": entry}
    context["record_days"] = settings.DERMA_RECORD_DAYS
    if posted and form.is_valid():
        request.session[DRAFT] = form.draft()
        try:
            return _act(request, hold, form)
        except booking.SlotTaken as taken:
            context["alternatives"] = taken.next_free
            form.add_error(None, taken.message)
        except ValidationError as error:
            form.add_error(None, error)
        hold.refresh_from_db()
    if _is_booked(hold):  # the other one of two clicks was quicker
        return redirect(hold)
    context |= {"ran_out": not waitlist.is_live(hold), "present": own_hold(request.user)}
    return render(request, "appointments/booking/book.html", context, status=422 if form.errors else 200)


def _act(request: SignedInRequest, hold: Appointment, form: BookForm) -> HttpResponse:
    """Look for another time, hold that one instead, or book. Raises SlotTaken and ValidationError."""
    answers = form.cleaned_data
    if answers["another"]:
        if not public_doctors().filter(user=hold.doctor).exists():
            messages.info(request, _("This doctor cannot be booked at present. Here are the others."))
            return redirect("accounts:doctors")
        return redirect(_times_address(hold, request.GET.get("analysis", "")))
    if answers["start"]:
        again = booking.hold(
            patient=hold.patient,
            doctor=hold.doctor,
            start=answers["start"],
            length=hold.minutes,
            urgent=hold.urgent,
            follows=hold.follows,
        )
        return redirect(_book_address(again, request.GET.get("analysis", "")))
    visit = waitlist.book(hold=hold, reason=answers["reason"], analyses=answers["analyses"])
    request.session.pop(DRAFT, None)
    messages.success(request, _booked(visit))
    return redirect(visit)


def _is_booked(hold: Appointment) -> bool:
    """Whether a visit has come of it, whatever became of that."""
    return hold.booked_at is not None


def _booked(visit: Appointment) -> str:
    if visit.status == Status.REQUESTED:
        return _("Your request is sent. You are told as soon as the doctor has answered.")
    return _("Your visit is booked.")


@require_POST
@role_required(Role.PATIENT)
def release(request: SignedInRequest, public_id: UUID) -> HttpResponse:
    """Give a held time back. Twice is no error; what became a visit stays one."""
    hold = _find(request, public_id)
    if _is_booked(hold):
        return redirect(hold)
    entry = WaitlistEntry.objects.visible_to(request.user).filter(offer=hold).first()
    if entry is not None:
        waitlist.decline(entry=entry)
    else:
        booking.release(hold=hold)
    request.session.pop(DRAFT, None)
    messages.success(request, _("The time is free again. Nothing is booked."))
    address = reverse("appointments:times", args=[hold.doctor.public_id])
    return redirect(_along(address, request.GET.get("analysis", "")))


def _find(request: SignedInRequest, public_id: UUID) -> Appointment:
    visible = Appointment.objects.visible_to(request.user)
    return get_object_or_404(
        visible.select_related("patient", "doctor__doctor_profile", "doctor__schedule", "follows"),
        public_id=public_id,
    )


def _draft(request: SignedInRequest) -> dict[str, Any]:
    """What was written before, and the result that the patient came from."""
    draft = request.session.get(DRAFT, {})
    return {
        "reason": draft.get("reason", ""),
        "analyses": draft.get("analyses", [request.GET.get("analysis", "")]),
    }


def _book_address(hold: Appointment, analysis: str) -> str:
    return _along(reverse("appointments:book", args=[hold.public_id]), analysis)


def _along(address: str, analysis: str) -> str:
    """The same address with the result that the patient came from."""
    return address + Wanted(carried={"analysis": analysis}).query() if analysis else address


def _times_address(hold: Appointment, analysis: str) -> str:
    """Where it was chosen, the same day open."""
    carried = {"analysis": analysis, "follows": str(hold.follows.public_id) if hold.follows else ""}
    day = timezone.localtime(hold.start).date().isoformat()
    address = reverse("appointments:times", args=[hold.doctor.public_id])
    return address + Wanted(hold.minutes, carried=carried).query(day=day)
