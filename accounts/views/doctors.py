"""The public directory of doctors, and what a doctor shows in it."""

from uuid import UUID

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from accounts.directory import (
    earliest_times,
    page_of,
    public_doctors,
    ratings,
    shows_free_times,
    times_of,
    visible_profiles,
)
from accounts.documents import JPEG
from accounts.forms.doctors import PracticeForm, SearchForm
from accounts.models import PatientProfile, Role, User
from accounts.permissions import role_required
from accounts.practice import doctor_profile, save_practice
from accounts.requests import SignedInRequest
from dermaplatform.files import private_file
from dermaplatform.throttling import UPLOAD, limited


@never_cache
@require_safe
def doctors(request: HttpRequest) -> HttpResponse:
    """The directory. A place that was typed exactly goes on as the rounded one: no address keeps it."""
    form = SearchForm(request.GET)
    understood = form.is_valid()
    if understood and form.place_is_exact and form.near:
        query = request.GET.copy()
        query["latitude"], query["longitude"] = str(form.near.latitude), str(form.near.longitude)
        return redirect(f"{request.path}?{query.urlencode()}")
    search, analysis = form.search(), _analysis(request)
    earliest = earliest_times(request.user, analysis)
    by_time = earliest is not None and (search.near is None or form.wants_earliest)
    page, times = page_of(search, request.GET.get("page"), earliest=earliest, by_time=by_time)
    context = {
        "form": form,
        "search": search,
        "page": page,
        "shows_free_times": shows_free_times(),
        "times": times,
        "is_urgent": earliest is not None,
        "by_time": by_time,
        "ratings": ratings(list(page)),
        "home": _home_of(request.user),
        "analysis": analysis,
    }
    return render(request, "accounts/doctors/list.html", context, status=200 if understood else 422)


def _analysis(request: HttpRequest) -> UUID | None:
    """The result that somebody wants to take along to a visit; whose it is, is asked where it is used."""
    try:
        return UUID(request.GET.get("analysis", ""))
    except ValueError:
        return None


def _home_of(user: object) -> PatientProfile | None:
    """A patient's own profile if it says where to look."""
    if not (isinstance(user, User) and user.is_patient):
        return None
    return PatientProfile.objects.filter(user=user, latitude__isnull=False).first()


@never_cache
@require_safe
def doctor(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """A doctor's public page; an unverified doctor sees what it will be."""
    profile = get_object_or_404(visible_profiles(request.user), user__public_id=public_id)
    analysis = _analysis(request)
    context = {
        "profile": profile,
        "is_public": public_doctors().filter(pk=profile.pk).exists(),
        "shows_free_times": shows_free_times(),
        "times": times_of([profile], earliest_times(request.user, analysis)),
        "analysis": analysis,
        "ratings": ratings([profile]),
    }
    return render(request, "accounts/doctors/detail.html", context)


@require_safe
def photo(request: HttpRequest, public_id: UUID) -> HttpResponseBase:
    profile = get_object_or_404(visible_profiles(request.user), user__public_id=public_id)
    if not profile.photo:
        raise Http404
    return private_file(profile.photo, JPEG)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@limited(UPLOAD)
@role_required(Role.DOCTOR)
def practice(request: SignedInRequest) -> HttpResponse:
    """What a doctor shows to the public."""
    profile = doctor_profile(request.user)
    posted = request.method == "POST"
    form = PracticeForm(
        request.POST if posted else None,
        request.FILES if posted else None,
        initial=PracticeForm.answers_of(profile),
    )
    if posted and form.is_valid():
        try:
            save_practice(doctor=request.user, practice=form.practice())
        except ValidationError as error:
            form.add_error(None, error)
        else:
            messages.success(request, _("Your public page is saved."))
            return redirect("accounts:practice")
    context = {"form": form, "profile": profile}
    return render(request, "accounts/doctors/practice.html", context, status=422 if posted else 200)
