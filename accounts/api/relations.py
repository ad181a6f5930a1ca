"""Endpoints of patients about sharing, and about who opened their record."""

from typing import Any, cast

from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.urls import path
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import generics, mixins, serializers, viewsets
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.routers import SimpleRouter

from accounts import relations
from accounts.access_log import accesses_to
from accounts.models import AccessEvent, CareRelation, Opened, Role, Scope, Source, User
from accounts.permissions import IsPatient
from dermaplatform.pagination import CursorPagination

# What the service refuses, by its code: the field that is to blame.
_BLAMED = {
    "oneself": "doctor",
    "not_verified": "doctor",
    "nothing_named": "analyses",
    "not_yours": "analyses",
    "past": "until",
    "too_far": "until",
}


class SharedWith(serializers.ModelSerializer[User]):
    id = serializers.UUIDField(source="public_id", read_only=True)
    name = serializers.SerializerMethodField()

    class Meta:
        model = User
        fields = ("id", "name")
        read_only_fields = fields

    def get_name(self, doctor: User) -> str:
        return relations.name_of(doctor)


class ShareSerializer(serializers.ModelSerializer[CareRelation]):
    """What a doctor may open, from when to when."""

    id = serializers.UUIDField(source="public_id", read_only=True)
    doctor = SharedWith(read_only=True)
    scope = serializers.ChoiceField(choices=Scope.choices, read_only=True)
    source = serializers.ChoiceField(choices=Source.choices, read_only=True)  # type: ignore[assignment]
    analyses = serializers.SerializerMethodField(help_text="Those that are named; none for the whole record.")
    in_force = serializers.BooleanField(source="is_in_force", read_only=True)

    class Meta:
        model = CareRelation
        fields = ("id", "doctor", "scope", "source", "analyses", "since", "until", "revoked_at", "in_force")
        read_only_fields = fields

    @extend_schema_field(serializers.ListField(child=serializers.UUIDField()))
    def get_analyses(self, relation: CareRelation) -> list[str]:
        return sorted(str(item) for item in relation.named_items())


class NewShare(serializers.Serializer[Any]):
    """What to open to whom: the whole record, or named analyses. Without `until` it has no end."""

    doctor = serializers.UUIDField()
    scope = serializers.ChoiceField(choices=Scope.choices)
    analyses = serializers.ListField(
        child=serializers.UUIDField(), required=False, max_length=1000, help_text="For the scope `named`."
    )
    until = serializers.DateTimeField(required=False, allow_null=True)

    def validate(self, answers: dict[str, Any]) -> dict[str, Any]:
        """Whoever names analyses does not mean to open everything."""
        if answers["scope"] == Scope.RECORD and answers.get("analyses"):
            sentence = _("Analyses are named with the scope “named” only.")
            raise serializers.ValidationError({"analyses": sentence}, code="not_named")
        return answers


class NewestFirst(CursorPagination):
    page_size = 20
    ordering = ("-since", "-id")


class ShareViewSet(mixins.ListModelMixin, viewsets.GenericViewSet[CareRelation]):
    """What a patient has opened to doctors, now and before."""

    serializer_class = ShareSerializer
    pagination_class = NewestFirst
    permission_classes = (IsAuthenticated, IsPatient)
    lookup_field = "public_id"
    lookup_value_converter = "uuid"
    queryset = CareRelation.objects.none()

    def get_queryset(self) -> QuerySet[CareRelation]:
        return relations.relations_of(cast(User, self.request.user))

    @extend_schema(request=NewShare, responses={201: ShareSerializer})
    def create(self, request: Request) -> Response:
        """Share. Analyses join those that the doctor may open already: that is a new share in their place."""
        asked = NewShare(data=request.data)
        asked.is_valid(raise_exception=True)
        answers = asked.validated_data
        try:
            relation = relations.share(
                patient=cast(User, request.user),
                doctor=_person(answers["doctor"]),
                items=None if answers["scope"] == Scope.RECORD else answers.get("analyses", []),
                until=answers.get("until"),
            )
        except ValidationError as error:
            raise _by_field(error) from error
        return Response(self.get_serializer(relation).data, status=201)

    @extend_schema(responses={204: None})
    def destroy(self, request: Request, public_id: Any) -> Response:
        """Stop sharing. Stopping what has ended is no error."""
        try:
            relations.revoke(relation=self.get_object())
        except ValidationError as error:
            raise _by_field(error) from error
        return Response(status=204)


def _person(public_id: Any) -> User:
    """Whom the id names. Nobody and somebody else's patient are refused like an unverified doctor."""
    return User.objects.filter(public_id=public_id).first() or User(role=Role.DOCTOR, is_active=False)


def _by_field(error: ValidationError) -> serializers.ValidationError:
    """The service's refusal as the API says it: with its code, at the field that is to blame."""
    code = str(getattr(error, "code", "") or "invalid")
    return serializers.ValidationError({_BLAMED.get(code, "non_field_errors"): error.messages}, code=code)


class AccessSerializer(serializers.ModelSerializer[AccessEvent]):
    """That somebody else opened something of the patient's record."""

    who = serializers.SerializerMethodField()
    role = serializers.ChoiceField(source="actor.role", choices=Role.choices, read_only=True)
    opened = serializers.ChoiceField(choices=Opened.choices, read_only=True)
    share = serializers.UUIDField(
        source="relation.public_id",
        read_only=True,
        default=None,
        allow_null=True,
        help_text="What had opened it to them.",
    )
    emergency = serializers.CharField(
        source="break_glass.reason",
        read_only=True,
        default=None,
        allow_null=True,
        help_text="The reason, in an emergency.",
    )

    class Meta:
        model = AccessEvent
        fields = ("at", "who", "role", "opened", "item", "share", "emergency", "address")
        read_only_fields = fields

    def get_who(self, event: AccessEvent) -> str:
        return relations.name_of(event.actor)


class LatestFirst(CursorPagination):
    page_size = 50
    ordering = ("-at", "-id")


class AccessList(generics.ListAPIView[AccessEvent]):
    """Who opened my record, the latest first."""

    serializer_class = AccessSerializer
    pagination_class = LatestFirst
    permission_classes = (IsAuthenticated, IsPatient)
    queryset = AccessEvent.objects.none()

    def get_queryset(self) -> QuerySet[AccessEvent]:
        return accesses_to(cast(User, self.request.user))


router = SimpleRouter()
router.register("shares", ShareViewSet, basename="api-share")

urlpatterns = [
    *router.urls,
    path("me/accesses/", AccessList.as_view(), name="api-access-list"),
]
