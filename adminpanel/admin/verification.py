"""The queue of doctors' applications: what waits, and one page each with the document beside the decision."""

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts import verification
from accounts.countries import country_name
from accounts.documents import page_count
from accounts.models import ApplicationStatus, DoctorApplication
from adminpanel.forms import DecisionForm, decisions_about


class WaitingFilter(admin.SimpleListFilter):
    """What waits for a decision, unless somebody asks for more."""

    title = gettext_lazy("status")
    parameter_name = "status"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("all", _("All")), *ApplicationStatus.choices]

    def choices(self, changelist: Any) -> Any:
        all_of_them, *others = super().choices(changelist)
        return [{**all_of_them, "display": _("Waiting for us")}, *others]

    def queryset(
        self, request: HttpRequest, queryset: QuerySet[DoctorApplication]
    ) -> QuerySet[DoctorApplication]:
        if self.value() is None:
            return queryset.filter(status__in=verification.WAITING)
        return queryset if self.value() == "all" else queryset.filter(status=self.value())


@admin.register(DoctorApplication)
class DoctorApplicationAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """Applications are decided about, never edited or deleted."""

    list_display = ("doctor", "status", "country", "licence_expires_on", "submitted_at")
    list_filter = (WaitingFilter,)
    list_select_related = ("doctor",)
    search_fields = ("doctor__name", "doctor__email", "licence_number")
    ordering = ("submitted_at", "pk")
    actions = None
    list_per_page = 50

    @admin.display(description=gettext_lazy("country"), ordering="licence_country")
    def country(self, application: DoctorApplication) -> str:
        return country_name(application.licence_country)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: DoctorApplication | None = None) -> bool:
        return False

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        return super().changelist_view(request, {"title": capfirst(self.opts.verbose_name_plural)})

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """One application: the document, what is said about it, what happened, and what can be decided."""
        application = self.get_object(request, object_id)
        if application is None:
            return self._get_obj_does_not_exist_redirect(  # type: ignore[attr-defined,no-any-return]
                request, self.opts, object_id
            )
        if not self.has_view_permission(request, application):
            raise PermissionDenied
        posted = request.method == "POST"
        form = DecisionForm(request.POST if posted else None)
        if posted and form.is_valid() and self._decide(request, application, form):
            return redirect("admin:accounts_doctorapplication_changelist")
        context = {**self.admin_site.each_context(request), **self._context(request, application, form)}
        template = "admin/adminpanel/application.html"
        return TemplateResponse(request, template, context, status=422 if form.errors else 200)

    def _context(
        self, request: HttpRequest, application: DoctorApplication, form: DecisionForm
    ) -> dict[str, Any]:
        events = list(application.events.select_related("by"))
        return {
            "title": application.doctor.name,
            "opts": self.opts,
            "original": application,
            "application": application,
            "events": events,
            "seen": events[-1].pk if events else "",
            "others": application.doctor.applications.exclude(pk=application.pk),
            "pages": range(1, page_count(application) + 1),
            "form": form,
            "is_own": application.doctor_id == request.user.pk,
            "decisions": decisions_about(application),
        }

    def _decide(self, request: Any, application: DoctorApplication, form: DecisionForm) -> bool:
        """Hand a decision to the service; False, and the reason in the form, if something is missing."""
        to = ApplicationStatus(form.cleaned_data["to"])
        try:
            verification.decide(
                application=application,
                admin=request.user,
                to=to,
                reason=form.cleaned_data["reason"],
                seen=form.cleaned_data["seen"],
            )
        except ValidationError as error:
            form.add_error(None, error)
            return False
        except verification.Overtaken as overtaken:
            form.add_error(None, str(overtaken.sentence))
            application.refresh_from_db()
            return False
        self.log_change(request, application, to.label)
        messages.success(
            request, _("%(name)s: %(status)s") % {"name": application.doctor, "status": to.label}
        )
        return True
