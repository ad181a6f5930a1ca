"""Pages of patients about sharing, and about who opened their record."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts import relations
from accounts.access_log import accesses_to, sittings
from accounts.directory import Search, public_doctors, search_doctors
from accounts.forms.sharing import EndForm, FindForm, ShareForm, last_day
from accounts.models import CareRelation, Role, Scope, Source, User
from accounts.permissions import role_required
from accounts.requests import SignedInRequest

DOCTORS_FOUND = 10
EVENTS_ON_PAGE = 100
ENDED_SHOWN = 20


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@role_required(Role.PATIENT)
def share(request: SignedInRequest) -> HttpResponse:
    """Open something to a doctor (`?doctor=`); without one, find a doctor first. `?analysis=` is ticked."""
    if not request.GET.get("doctor"):
        return _choose_doctor(request)
    doctor = get_object_or_404(User, role=Role.DOCTOR, public_id=_uuid_or_404(request.GET["doctor"]))
    posted = request.method == "POST"
    form = ShareForm(
        request.POST if posted else None,
        things=relations.shareable_things(request.user).values(),
        initial={"items": [request.GET.get("analysis", "")]},
    )
    if posted and form.is_valid() and _share(request.user, doctor, form):
        messages.success(request, _("%(doctor)s can open this now.") % {"doctor": relations.name_of(doctor)})
        return redirect("accounts:sharing")
    context = {"form": form, "doctor": doctor, "present": _present(request.user, doctor)}
    return render(request, "accounts/sharing/share.html", context, status=422 if form.errors else 200)


def _share(patient: User, doctor: User, form: ShareForm) -> CareRelation | None:
    """Hand valid answers to the service; None, and the reason in the form, if it refuses."""
    answers = form.cleaned_data
    items = answers["items"] if answers["scope"] == Scope.NAMED else None
    try:
        return relations.share(patient=patient, doctor=doctor, items=items, until=answers["until"])
    except ValidationError as error:
        form.add_error(None, error)
    return None


def _choose_doctor(request: SignedInRequest) -> HttpResponse:
    """Doctors whom the patient knows already, and others by name (`?name=`)."""
    form = FindForm(request.GET)
    understood = form.is_valid()
    name = form.cleaned_data.get("name", "")
    known = public_doctors().filter(user__patients_relations__patient=request.user).distinct()
    found = search_doctors(Search(name=name)) if name else known
    profiles = list(found[: DOCTORS_FOUND + 1])
    context = {
        "form": form,
        "name": name,
        "profiles": profiles[:DOCTORS_FOUND],
        "there_are_more": len(profiles) > DOCTORS_FOUND,
    }
    status = 200 if understood else 422
    return render(request, "accounts/sharing/choose_doctor.html", context, status=status)


def _present(patient: User, doctor: User) -> list[CareRelation]:
    """What this doctor may open already."""
    return list(relations.relations_of(patient).in_force().filter(doctor=doctor))


def _uuid_or_404(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError as error:
        raise Http404 from error


@never_cache
@require_safe
@role_required(Role.PATIENT)
def sharing(request: SignedInRequest) -> HttpResponse:
    """Which doctors may see what, and which could."""
    mine = relations.relations_of(request.user)
    present = mine.in_force().order_by("doctor__name", "-since")
    context = {
        "relations": present,
        "verified": set(
            public_doctors()
            .filter(user__patients_relations__in=present.values("pk"))
            .values_list("user", flat=True)
        ),
        "ended": mine.exclude(pk__in=present.values("pk"))[:ENDED_SHOWN],
        "things": relations.shareable_things(request.user),
    }
    return render(request, "accounts/sharing/list.html", context)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@role_required(Role.PATIENT)
def sharing_end(request: SignedInRequest, public_id: UUID) -> HttpResponse:
    """Choose another end of a share."""
    relation = _find(request, public_id)
    posted = request.method == "POST"
    form = EndForm(request.POST if posted else None, initial={"until": last_day(relation.until)})
    if posted and form.is_valid():
        try:
            relations.extend(relation=relation, until=form.cleaned_data["until"])
            messages.success(request, _("The new end is saved."))
            return redirect("accounts:sharing")
        except ValidationError as error:
            form.add_error(None, error)
    context = {"form": form, "relation": relation}
    return render(request, "accounts/sharing/end.html", context, status=422 if form.errors else 200)


@require_POST
@role_required(Role.PATIENT)
def sharing_stop(request: SignedInRequest, public_id: UUID) -> HttpResponse:
    """Stop a share, or one analysis of it (`item`). Stopping twice is no error."""
    relation = _find(request, public_id)
    item = request.POST.get("item")
    try:
        relations.revoke(relation=relation, item=_uuid_or_404(item) if item else None)
    except ValidationError as error:
        messages.error(request, error.messages[0])
    else:
        messages.success(request, _after_stopping(relation))
    return redirect("accounts:sharing")


def _after_stopping(relation: CareRelation) -> str:
    doctor = {"doctor": relations.name_of(relation.doctor)}
    if _present(relation.patient, relation.doctor):
        return _("Stopped. What else you share with %(doctor)s stays open to them.") % doctor
    return _("Stopped. %(doctor)s cannot open anything of yours any more.") % doctor


def _find(request: SignedInRequest, public_id: UUID) -> CareRelation:
    shares = relations.relations_of(request.user).filter(source=Source.SHARE)
    return get_object_or_404(shares, public_id=public_id)


@never_cache
@require_safe
@role_required(Role.PATIENT)
def accesses(request: SignedInRequest) -> HttpResponse:
    """Who opened my record."""
    page = Paginator(accesses_to(request.user), EVENTS_ON_PAGE).get_page(request.GET.get("page"))
    context: dict[str, Any] = {
        "page": page,
        "sittings": sittings(page),
        "things": relations.shareable_things(request.user),
    }
    return render(request, "accounts/sharing/accesses.html", context)
