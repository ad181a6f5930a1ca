"""Which release of the classifier answers patients, and which runs along: looked at and changed here."""

from collections.abc import Callable
from typing import Any, cast

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST

from accounts.models import User
from diagnosis import comparison, releases, selectors
from diagnosis.models import ReleaseChange, Slot

_HISTORY = 50
_LIST = "admin:diagnosis_releasechange_changelist"


class ReasonForm(forms.Form):
    """Why, and which choice was in force on the page that was looked at."""

    reason = forms.CharField(
        label=gettext_lazy("Reason"),
        max_length=500,
        help_text=gettext_lazy("It stays in the history with your name and the time."),
        widget=forms.Textarea(attrs={"rows": 3, "class": "vLargeTextField"}),
    )
    seen = forms.IntegerField(min_value=0, widget=forms.HiddenInput)


def _number(slot: Slot) -> int:
    change = releases.latest(slot)
    return change.number if change else 0


@admin.register(ReleaseChange)
class ReleaseAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """Rows are added by the buttons of these pages and never edited."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: ReleaseChange | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: ReleaseChange | None = None) -> bool:
        return False

    def get_urls(self) -> list[URLPattern]:
        """Only these: there is no row to open, change or delete."""
        pages: dict[str, tuple[str, Callable[..., HttpResponse]]] = {
            "changelist": ("", self.changelist_view),
            "activate": ("activate/<str:release>/", self.activate_view),
            "back": ("back/", require_POST(self.back_view)),
            "along": ("along/<str:release>/", self.along_view),
            "end": ("end/", self.end_view),
            "comparison": ("comparison/", self.comparison_view),
        }
        return [
            path(route, self.admin_site.admin_view(view), name=f"diagnosis_releasechange_{name}")
            for name, (route, view) in pages.items()
        ]

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> TemplateResponse:
        context = {
            "installed": releases.installed(),
            "active": releases.active_or_none(),
            "seen": _number(Slot.ACTIVE),  # read first: a choice made meanwhile refuses the button
            "before": releases.release_before(),
            "shadow": releases.latest(Slot.SHADOW),
            "override": settings.DERMA_RELEASE,
            "workers": selectors.living_workers(),
            "history": ReleaseChange.objects.select_related("by")[:_HISTORY],
        }
        return self._page(request, "list", _("Releases of the classifier"), context)

    def activate_view(self, request: HttpRequest, release: str) -> HttpResponse:
        return self._ask(
            request,
            release=_known(release),
            slot=Slot.ACTIVE,
            title=_("Have %(release)s answer patients") % {"release": release},
            button=_("Activate %(release)s") % {"release": release},
            done=_("From the next image on %(release)s answers patients.") % {"release": release},
            act=releases.activate,
        )

    def along_view(self, request: HttpRequest, release: str) -> HttpResponse:
        return self._ask(
            request,
            release=_known(release),
            slot=Slot.SHADOW,
            title=_("Have %(release)s run along silently") % {"release": release},
            button=_("Run %(release)s along") % {"release": release},
            done=_("Within seconds %(release)s judges live images silently.") % {"release": release},
            act=releases.run_along,
        )

    def end_view(self, request: HttpRequest) -> HttpResponse:
        return self._ask(
            request,
            release="",
            slot=Slot.SHADOW,
            title=_("End the comparison"),
            button=_("End the comparison"),
            done=_("No release runs along any more. What was compared stays."),
            act=releases.run_along,
        )

    def back_view(self, request: HttpRequest) -> HttpResponse:
        """One click, because whoever needs it is in a hurry; the reason writes itself."""
        form = forms.IntegerField(min_value=0)
        try:
            seen = form.clean(request.POST.get("seen"))
            change = releases.roll_back(by=cast(User, request.user), seen=seen)
        except ValidationError as error:
            messages.error(request, " ".join(error.messages))
        else:
            sentence = _("From the next image on %(release)s answers patients.")
            messages.success(request, sentence % {"release": change.release})
        return redirect(_LIST)

    def comparison_view(self, request: HttpRequest) -> TemplateResponse:
        context = {"comparisons": comparison.comparisons(), "levels": comparison.LEVELS}
        return self._page(request, "comparison", _("Releases compared on live images"), context)

    def _ask(
        self,
        request: HttpRequest,
        *,
        release: str,
        slot: Slot,
        title: str,
        button: str,
        done: str,
        act: Callable[..., ReleaseChange],
    ) -> HttpResponse:
        """Ask for the reason, then act."""
        form = ReasonForm(request.POST or None, initial={"seen": _number(slot)})
        if request.method == "POST" and form.is_valid():
            try:
                act(release=release, by=cast(User, request.user), **form.cleaned_data)
            except ValidationError as error:
                form.add_error(None, error)
            else:
                messages.success(request, done)
                return redirect(_LIST)
        context = {
            "form": form,
            "button": button,
            "active": releases.active_or_none(),
            "candidate": release,
            "for_patients": slot == Slot.ACTIVE,
        }
        return self._page(request, "choose", title, context, status=422 if form.errors else 200)

    def _page(
        self, request: HttpRequest, name: str, title: str, context: dict[str, Any], status: int = 200
    ) -> TemplateResponse:
        common = self.admin_site.each_context(request) | {"title": title, "opts": self.opts}
        template = f"admin/adminpanel/releases/{name}.html"
        return TemplateResponse(request, template, common | context, status=status)


def _known(release: str) -> str:
    if release not in releases.names():
        raise Http404
    return release
