"""The person who is signed in, for apps."""

from typing import Any, cast

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import transaction
from django.urls import URLPattern, path
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts import geography
from accounts.api.doctors import Degrees
from accounts.models import PatientProfile, User
from accounts.profiles import ANSWERS, Why, patient_profile, update_account, update_profile


class ProfileSerializer(serializers.ModelSerializer[PatientProfile]):
    """A patient's own answers. All of them are optional; coordinates are rounded to 0.01 degrees."""

    latitude = Degrees(limit=geography.LATITUDE_LIMIT, allow_null=True, required=False)
    longitude = Degrees(limit=geography.LONGITUDE_LIMIT, allow_null=True, required=False)

    class Meta:
        model = PatientProfile
        fields = ANSWERS


class MeSerializer(serializers.ModelSerializer[User]):
    """An account. The role is the server's; `profile` is there for patients."""

    id = serializers.UUIDField(source="public_id", read_only=True)
    language = serializers.ChoiceField(
        choices=settings.LANGUAGES,
        allow_blank=True,
        required=False,
        help_text="Empty: what the client asks for.",
    )
    profile = ProfileSerializer(source="patient_profile", required=False)

    class Meta:
        model = User
        fields = ("id", "email", "name", "role", "language", "time_zone", "profile")
        read_only_fields = ("email", "role")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        person = cast(User, self.instance)
        if "patient_profile" in attrs and not person.is_patient:
            raise serializers.ValidationError({"profile": _("Only patients have this profile.")})
        return attrs

    @transaction.atomic
    def update(self, person: User, changes: dict[str, Any]) -> User:
        answers = changes.pop("patient_profile", {})
        try:
            update_account(user=person, **changes)
        except ValidationError as error:
            raise serializers.ValidationError(serializers.as_serializer_error(error)) from error
        try:
            if answers:
                update_profile(patient=person, by=person, why=Why.APP, **answers)
        except ValidationError as error:
            raise serializers.ValidationError({"profile": serializers.as_serializer_error(error)}) from error
        return person

    def to_representation(self, person: User) -> dict[str, Any]:
        shown = super().to_representation(person)
        profile = ProfileSerializer(patient_profile(person)).data if person.is_patient else None
        return {**shown, "profile": profile}


class MeView(APIView):
    """What you have told about yourself."""

    @extend_schema(operation_id="me_retrieve", responses=MeSerializer)
    def get(self, request: Request) -> Response:
        return Response(MeSerializer(cast(User, request.user)).data)

    @extend_schema(operation_id="me_update", request=MeSerializer(partial=True), responses=MeSerializer)
    def patch(self, request: Request) -> Response:
        """Change some of it. What is not sent stays as it is."""
        person = User.objects.get(pk=cast(User, request.user).pk)
        asked = MeSerializer(person, data=request.data, partial=True)
        asked.is_valid(raise_exception=True)
        return Response(MeSerializer(asked.save()).data)


urlpatterns: list[URLPattern] = [path("me/", MeView.as_view(), name="api-me")]
