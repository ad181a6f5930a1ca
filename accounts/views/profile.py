"""What somebody says about themselves, and how they read the pages."""

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import ValidationError
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from accounts.forms.profile import LanguageForm, NameForm, PatientForm
from accounts.models import User
from accounts.profiles import ANSWERS, Why, update_account, update_profile
from accounts.requests import SignedInRequest


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def profile(request: SignedInRequest) -> HttpResponse:
    """The own name, and for patients what a doctor should know."""
    form_class = PatientForm if request.user.is_patient else NameForm
    form = form_class(request.POST if request.method == "POST" else None, user=request.user)
    if form.is_valid() and _saved(request.user, form):
        messages.success(request, _("Saved."))
        return redirect("accounts:profile")
    status = 422 if form.is_bound else 200
    return render(request, "accounts/settings/profile.html", {"form": form}, status=status)


def _saved(user: User, form: forms.BaseForm) -> bool:
    """Hand the answers to the services; False, and the reason in the form, if they refuse."""
    answers = {name: value for name, value in form.cleaned_data.items() if name in ANSWERS}
    try:
        update_account(user=user, name=form.cleaned_data["name"])
        if answers:
            update_profile(patient=user, by=user, why=Why.PAGE, **answers)
    except ValidationError as refusal:
        form.add_error(None, refusal)
        return False
    return True


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def language(request: SignedInRequest) -> HttpResponse:
    person = User.objects.get(pk=request.user.pk)  # the form changes what it is given, right or wrong
    form = LanguageForm(request.POST if request.method == "POST" else None, instance=person)
    if form.is_valid():
        update_account(user=request.user, **form.cleaned_data)
        messages.success(request, _("Saved."))
        return redirect("accounts:language")
    status = 422 if form.is_bound else 200
    return render(request, "accounts/settings/language.html", {"form": form}, status=status)


@require_POST
@login_required
def time_zone(request: SignedInRequest) -> HttpResponse:
    """Take over the zone that the browser has proposed, and go back to the page."""
    try:
        update_account(user=request.user, time_zone=request.POST.get("time_zone", ""))
    except ValidationError as refusal:
        messages.error(request, " ".join(refusal.messages))
        return redirect("accounts:language")
    messages.success(request, _("Times are shown for the place where you are."))
    back = request.POST.get("next", "")
    safe = url_has_allowed_host_and_scheme(back, allowed_hosts=None)
    return redirect(back if safe else "home")
