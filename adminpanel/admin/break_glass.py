"""Opening a patient's record in an emergency: the only way for an administrator to see one."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.break_glass import SHORTEST_REASON, break_glass, close_glass, longest_minutes
from accounts.models import BreakGlass, User


class BreakGlassForm(forms.Form):
    patient = forms.EmailField(
        label=gettext_lazy("Email address of the patient"),
        max_length=254,
        widget=forms.EmailInput(attrs={"autocomplete": "off", "class": "vTextField"}),
    )
    reason = forms.CharField(
        label=gettext_lazy("Why the record has to be opened"),
        min_length=SHORTEST_REASON,
        max_length=2000,
        widget=forms.Textarea(attrs={"rows": 4, "class": "vLargeTextField"}),
        help_text=gettext_lazy("The patient reads this sentence, and everything that you look at."),
        error_messages={"min_length": gettext_lazy("Say in a sentence why. The patient will read it.")},
    )
    minutes = forms.IntegerField(
        label=gettext_lazy("For how many minutes"),
        min_value=1,
        widget=forms.NumberInput(attrs={"class": "vIntegerField"}),
    )

    def clean_patient(self) -> User:
        """The person of this address."""
        person = User.objects.filter(email__iexact=self.cleaned_data["patient"]).first()
        if person is None:
            raise ValidationError(_("Nobody has this email address."), code="unknown")
        return person


@admin.register(BreakGlass)
class BreakGlassAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """Emergencies are opened and closed, never edited or deleted; every administrator sees those of all."""

    list_display = ("patient", "admin", "opened_at", "until", "closed_at", "is_open")
    list_filter = ("opened_at",)
    list_select_related = ("patient", "admin")
    search_fields = ("patient__name", "patient__email", "admin__name", "reason")
    actions = None
    list_per_page = 50

    @admin.display(description=gettext_lazy("open"), boolean=True)
    def is_open(self, glass: BreakGlass) -> bool:
        return glass.closed_at is None and glass.until > timezone.now()

    def has_delete_permission(self, request: HttpRequest, obj: BreakGlass | None = None) -> bool:
        return False

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        """Say whose record and why; then the record itself opens."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        form = BreakGlassForm(request.POST or None, initial={"minutes": longest_minutes()})
        if request.method == "POST" and form.is_valid() and (glass := self._break(request, form)):
            return redirect("diagnosis:patient", glass.patient.public_id)
        context = self._context(request, _("Open a record in an emergency"))
        context |= {"form": form, "longest": longest_minutes()}
        template = "admin/adminpanel/break_glass_add.html"
        return TemplateResponse(request, template, context, status=422 if form.errors else 200)

    def _break(self, request: Any, form: BreakGlassForm) -> BreakGlass | None:
        """Hand the answers to the service; None, and the reason in the form, if it refuses."""
        try:
            glass = break_glass(admin=request.user, **form.cleaned_data)
        except ValidationError as error:
            form.add_error(None, error)
            return None
        self.log_addition(request, glass, _("Opened in an emergency"))
        return glass

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """One emergency, with what was looked at, and the button that ends it."""
        glass = self.get_object(request, object_id)
        if glass is None:
            return self._get_obj_does_not_exist_redirect(  # type: ignore[attr-defined,no-any-return]
                request, self.opts, object_id
            )
        if not self.has_view_permission(request, glass):
            raise PermissionDenied
        if request.method == "POST":
            return self._close(request, glass)
        context = self._context(request, _("Emergency access"))
        context |= {
            "original": glass,
            "glass": glass,
            "is_open": self.is_open(glass),
            "is_own": glass.admin_id == request.user.pk,
            "looks": glass.accesses.order_by("at", "pk"),
        }
        return TemplateResponse(request, "admin/adminpanel/break_glass.html", context)

    def _close(self, request: HttpRequest, glass: BreakGlass) -> HttpResponse:
        if close_glass(glass=glass):
            self.log_change(request, glass, _("Closed early"))
            messages.success(request, _("The record is closed again."))
        else:
            messages.info(request, _("It had ended already."))
        return redirect("admin:accounts_breakglass_changelist")

    def _context(self, request: HttpRequest, title: str) -> dict[str, Any]:
        return {**self.admin_site.each_context(request), "opts": self.opts, "title": title}
