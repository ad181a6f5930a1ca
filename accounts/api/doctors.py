"""The directory of doctors for apps: the same search and the same rule as the page."""

from decimal import Decimal
from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.urls import path
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import mixins, serializers, viewsets
from rest_framework.pagination import PageNumberPagination
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse

from accounts import geography
from accounts.directory import (
    IN_PERSON,
    VIDEO,
    Search,
    next_free_times,
    public_doctors,
    ratings,
    search_doctors,
)
from accounts.models import DoctorProfile, Speciality
from accounts.spoken import LANGUAGES


@extend_schema_field(OpenApiTypes.DOUBLE)
class Degrees(serializers.Field):  # type: ignore[type-arg]
    """Degrees, read as the page reads them."""

    def __init__(self, *, limit: int, **kwargs: Any) -> None:
        self.limit = limit
        super().__init__(**kwargs)

    def to_internal_value(self, data: Any) -> Decimal:
        try:
            return geography.read_degrees(str(data)[:40], self.limit)
        except ValidationError as error:
            raise serializers.ValidationError(error.messages, error.code) from error

    def to_representation(self, value: Decimal) -> float:
        return float(value)


class DirectoryQuery(serializers.Serializer[Any]):
    """What to look for. With a position, rounded to 0.01 degrees and not kept, the nearest come first."""

    name = serializers.CharField(max_length=100, required=False, help_text="Words of the name.")
    speciality = serializers.ChoiceField(choices=Speciality.choices, required=False)
    language = serializers.ChoiceField(
        choices=sorted(LANGUAGES), required=False, help_text="ISO 639-1, such as `de`."
    )
    way = serializers.ChoiceField(choices=[VIDEO, IN_PERSON], required=False)
    latitude = Degrees(limit=geography.LATITUDE_LIMIT, required=False, help_text="-90 to 90")
    longitude = Degrees(limit=geography.LONGITUDE_LIMIT, required=False, help_text="-180 to 180")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        for missing, given in (("latitude", "longitude"), ("longitude", "latitude")):
            if given in attrs and missing not in attrs:
                raise serializers.ValidationError({missing: geography.BOTH_OR_NEITHER}, "required")
        return attrs

    def search(self) -> Search:
        asked = dict(self.validated_data)
        latitude, longitude = asked.pop("latitude", None), asked.pop("longitude", None)
        near = None if latitude is None else geography.Position.near(latitude, longitude)
        return Search(**asked, near=near)


class RatingOfDoctor(serializers.Serializer[Any]):
    """What patients say of a doctor."""

    average = serializers.FloatField(help_text="Stars, from 1 to 5.")
    count = serializers.IntegerField(help_text="Of how many ratings.")


class DoctorSerializer(serializers.ModelSerializer[DoctorProfile]):
    """A doctor's public profile. No email address is in it."""

    id = serializers.UUIDField(source="user.public_id", read_only=True)
    name = serializers.CharField(source="user.name", read_only=True)
    url = serializers.SerializerMethodField(help_text="Where to read this profile.")
    page = serializers.SerializerMethodField(help_text="The profile as a page for people.")
    photo = serializers.SerializerMethodField(help_text="A square JPEG, or null.")
    specialities = serializers.SerializerMethodField()
    languages = serializers.SerializerMethodField(help_text="ISO 639-1 codes.")
    latitude = serializers.FloatField(read_only=True, allow_null=True)
    longitude = serializers.FloatField(read_only=True, allow_null=True)
    time_zone = serializers.CharField(source="user.time_zone", read_only=True)
    distance_km = serializers.SerializerMethodField(help_text="Only in a search with a position.")
    next_free = serializers.SerializerMethodField(help_text="Null if none is known.")
    rating = serializers.SerializerMethodField(help_text="Null while too few patients have said anything.")

    class Meta:
        model = DoctorProfile
        fields = (
            "id",
            "name",
            "title",
            "url",
            "page",
            "photo",
            "specialities",
            "languages",
            "accepts_video",
            "accepts_in_person",
            "clinic_name",
            "clinic_address",
            "latitude",
            "longitude",
            "time_zone",
            "fee",
            "biography",
            "distance_km",
            "next_free",
            "rating",
        )
        read_only_fields = fields

    def _link(self, profile: DoctorProfile, name: str) -> str:
        return reverse(name, args=[profile.user.public_id], request=self.context["request"])

    def get_url(self, profile: DoctorProfile) -> str:
        return self._link(profile, "api-doctor-detail")

    def get_page(self, profile: DoctorProfile) -> str:
        return self._link(profile, "accounts:doctor")

    def get_photo(self, profile: DoctorProfile) -> str | None:
        return self._link(profile, "accounts:doctor-photo") if profile.photo else None

    @extend_schema_field(serializers.ListField(child=serializers.ChoiceField(choices=Speciality.choices)))
    def get_specialities(self, profile: DoctorProfile) -> list[str]:
        return [row.code for row in profile.specialities.all()]

    def get_languages(self, profile: DoctorProfile) -> list[str]:
        return [row.code for row in profile.languages.all()]

    def get_distance_km(self, profile: DoctorProfile) -> float | None:
        distance = getattr(profile, "distance", None)
        return None if distance is None else round(distance, 1)

    @extend_schema_field(serializers.DateTimeField(allow_null=True))
    def get_next_free(self, profile: DoctorProfile) -> Any:
        moment = self.context["free_times"].get(profile.user.public_id)
        return moment.isoformat() if moment else None

    @extend_schema_field(RatingOfDoctor(allow_null=True))
    def get_rating(self, profile: DoctorProfile) -> dict[str, Any] | None:
        said = self.context["ratings"].get(profile.user.public_id)
        return {"average": round(said[0], 1), "count": said[1]} if said else None


class Pages(PageNumberPagination):
    page_size = 20


class DoctorViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet[DoctorProfile]):
    """The public directory: verified doctors whose licence is in force. Nobody needs to sign in."""

    serializer_class = DoctorSerializer
    pagination_class = Pages
    permission_classes = (AllowAny,)
    queryset = DoctorProfile.objects.none()

    @extend_schema(parameters=[DirectoryQuery])
    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        query = DirectoryQuery(data=request.query_params)
        query.is_valid(raise_exception=True)
        page = self.paginate_queryset(search_doctors(query.search()))
        return self.get_paginated_response(self._shown(list(page or []), many=True))

    def retrieve(self, request: Request, public_id: UUID) -> Response:
        self.lookup_field, self.kwargs["user__public_id"] = "user__public_id", public_id
        return Response(self._shown(self.get_object()))

    def get_queryset(self) -> QuerySet[DoctorProfile]:
        return public_doctors()

    def _shown(self, profiles: Any, *, many: bool = False) -> Any:
        shown = profiles if many else [profiles]
        context = {
            **self.get_serializer_context(),
            "free_times": next_free_times(shown),
            "ratings": ratings(shown),
        }
        return DoctorSerializer(profiles, many=many, context=context).data


urlpatterns = [
    path("doctors/", DoctorViewSet.as_view({"get": "list"}), name="api-doctor-list"),
    path("doctors/<uuid:public_id>/", DoctorViewSet.as_view({"get": "retrieve"}), name="api-doctor-detail"),
]
