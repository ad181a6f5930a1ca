from typing import Any, cast

from allauth.account.admin import EmailAddress
from allauth.mfa.admin import Authenticator
from allauth.usersessions.admin import UserSession
from django.contrib import admin, messages
from django.contrib.auth.admin import UserAdmin as BaseUserAdmin
from django.contrib.auth.forms import AdminUserCreationForm
from django.contrib.auth.forms import UserChangeForm as BaseUserChangeForm
from django.contrib.auth.models import Group
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from accounts import mfa
from accounts.models import Role, User
from accounts.registries import doctor_stopped, doctor_verified
from accounts.selectors import is_verified_doctor

admin.site.unregister(Group)  # the role alone decides
# With an address, a second factor or a session of somebody else one could sign in as that person, and no
# glass would have been broken. (Imported from where they are registered, so that they are by now.)
for _private in (EmailAddress, Authenticator, UserSession):
    admin.site.unregister(_private)


class UserCreationForm(AdminUserCreationForm):  # type: ignore[type-arg]
    class Meta:
        model = User
        fields = ("email", "name", "role")


class UserChangeForm(BaseUserChangeForm):  # type: ignore[type-arg]
    password = None  # type: ignore[assignment]  # people choose their own

    class Meta:
        model = User
        fields = ("name", "role", "is_active")

    def clean(self) -> dict[str, Any]:
        """There is always an administrator who can sign in."""
        cleaned: dict[str, Any] = super().clean() or {}
        stays = cleaned.get("role") == Role.ADMIN and cleaned.get("is_active")
        others = User.objects.filter(role=Role.ADMIN, is_active=True).exclude(pk=self.instance.pk)
        if self.instance.role == Role.ADMIN and not stays and not others.exists():
            self.add_error(None, _("This is the last administrator. Make another one first."))
        return cleaned


@admin.register(User)
class UserAdmin(BaseUserAdmin):  # type: ignore[type-arg]
    """Accounts. An administrator switches an account off; its clinical record stays."""

    form = UserChangeForm
    add_form = UserCreationForm
    actions = ("remove_second_factor",)
    ordering = ("email",)
    list_display = ("email", "name", "role", "is_active", "date_joined")
    list_filter = ("role", "is_active")
    search_fields = ("email", "name")
    readonly_fields = ("email", "date_joined", "last_login")
    filter_horizontal = ()
    fieldsets = (
        (_("Person"), {"fields": ("email", "name", "role")}),
        (_("Access"), {"fields": ("is_active", "last_login", "date_joined")}),
    )
    add_fieldsets = (
        (None, {"fields": ("email", "name", "role", "usable_password", "password1", "password2")}),
    )

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> tuple[str, ...]:
        return tuple(self.readonly_fields) if obj else ()

    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        return False  # an account is switched off here; its owner may have it erased

    def user_change_password(self, request: HttpRequest, id: str, form_url: str = "") -> HttpResponse:  # noqa: A002
        raise PermissionDenied  # whoever has forgotten theirs asks for a link

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:
        """Whoever is waiting for a doctor hears that the doctor has been switched off, or on again."""
        was_verified = change and is_verified_doctor(User.objects.get(pk=obj.pk))
        super().save_model(request, obj, form, change)
        is_verified = is_verified_doctor(obj)
        if was_verified and not is_verified:
            for stopped in doctor_stopped:
                stopped(obj, gettext("An administrator has closed this doctor's account."))
        if change and is_verified and not was_verified:
            for verified in doctor_verified:
                verified(obj)

    @admin.action(description=_("Remove the second factor (after they lost it)"))
    def remove_second_factor(self, request: HttpRequest, chosen: QuerySet[User]) -> None:
        """Doctors and administrators set up a new one at the next sign-in, and are told by mail."""
        people = chosen.exclude(role=Role.PATIENT).exclude(pk=cast(User, request.user).pk)
        for person in people:
            mfa.remove_second_factor(user=person)
            self.log_change(request, person, "second factor removed")
        messages.success(
            request,
            ngettext(
                "The second factor of %(count)d person was removed.",
                "The second factor of %(count)d people was removed.",
                len(people),
            )
            % {"count": len(people)},
        )
