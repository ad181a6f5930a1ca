"""Visits for apps: the same services and the same rule as the pages."""

from collections.abc import Callable, Sequence
from typing import Any, cast

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import mixins, viewsets
from rest_framework.decorators import action
from rest_framework.exceptions import PermissionDenied
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import Serializer

from accounts.access_log import record_access, record_accesses
from accounts.models import Opened, User
from accounts.selectors import is_verified_doctor
from appointments import booking, picking, visits, waitlist
from appointments.api.refusals import doctor_or_refusal, told
from appointments.api.serializers import AppointmentSerializer, Because, NewAppointment, NewTime
from appointments.models import Appointment
from dermaplatform.pagination import CursorPagination

KEY = OpenApiParameter(
    "Idempotency-Key",
    location=OpenApiParameter.HEADER,
    description="A name of your own for this request: sent again under it, it books nothing more.",
)


class LatestFirst(CursorPagination):
    page_size = 20
    ordering = ("-start", "-id")


class AppointmentViewSet(
    mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet[Appointment]
):
    """Visits of the person who is signed in, as patient or as doctor."""

    serializer_class = AppointmentSerializer
    pagination_class = LatestFirst
    permission_classes = (IsAuthenticated,)
    lookup_field = "public_id"
    lookup_value_converter = "uuid"
    queryset = Appointment.objects.none()
    _shown: Sequence[Appointment] = ()

    def get_queryset(self) -> QuerySet[Appointment]:
        return (
            Appointment.objects.visible_to(self.request.user)
            .select_related("patient__doctor_profile", "doctor__doctor_profile", "relation", "follows")
            .prefetch_related("attached__analysis")
        )

    def paginate_queryset(self, queryset: Any) -> Any:
        """Each patient whom a doctor's page names can read who looked."""
        page = super().paginate_queryset(queryset)
        record_accesses(self.request, [visit.patient for visit in page or []], Opened.PATIENTS)
        self._shown = list(page or [])
        return page

    def get_serializer_context(self) -> dict[str, Any]:
        patients = {visit.patient_id for visit in self._shown}
        opened = visits.open_records(self.request.user, patients)
        return {**super().get_serializer_context(), "open_records": opened}

    def retrieve(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return self._answer(self.get_object())

    @extend_schema(request=NewAppointment, responses={201: AppointmentSerializer}, parameters=[KEY])
    def create(self, request: Request) -> Response:
        """Hold a time, book it, or book what is held. A time that is gone is 409 with `next_free`."""
        patient = cast(User, request.user)
        if not patient.is_patient:
            raise PermissionDenied(_("Only patients book visits, and nobody books one with themselves."))
        asked = NewAppointment(data=request.data)
        asked.is_valid(raise_exception=True)
        answers = asked.validated_data
        with told():
            appointment = booking.once(
                user=patient,
                key=request.headers.get("Idempotency-Key", ""),
                asked=answers,
                make=lambda: _make(patient, answers),
            )
        appointment = self.get_queryset().get(pk=appointment.pk)
        return Response(self.get_serializer(appointment).data, status=201)

    def _answer(self, appointment: Appointment) -> Response:
        record_access(self.request, appointment.patient, Opened.VISIT, appointment.public_id)
        self._shown = [appointment]
        return Response(self.get_serializer(appointment).data)

    def _do(
        self,
        service: Callable[..., Appointment],
        *,
        by_doctor: bool,
        suspended_may: bool = False,
        body: type[Serializer[Any]] | None = None,
    ) -> Response:
        """One step of a visit; what only doctors do is 403 for the patient.

        A doctor who may not practise at present lets patients go, and does nothing else. What is sent along
        is looked at last: to whom a visit is not visible, it is not there.
        """
        appointment = self.get_object()
        by = cast(User, self.request.user)
        if by_doctor and not (by.is_doctor and (suspended_may or is_verified_doctor(by))):
            raise PermissionDenied
        options = {}
        if body is not None:
            asked = body(data=self.request.data)
            asked.is_valid(raise_exception=True)
            options = asked.validated_data
        with told():
            service(appointment=appointment, by=by, **options)
        return self._answer(self.get_object())

    @extend_schema(request=None, responses=AppointmentSerializer)
    @action(detail=True, methods=["post"])
    def confirm(self, request: Request, public_id: Any) -> Response:
        """The doctor takes a request."""
        return self._do(booking.confirm, by_doctor=True)

    @extend_schema(request=Because, responses=AppointmentSerializer)
    @action(detail=True, methods=["post"])
    def decline(self, request: Request, public_id: Any) -> Response:
        """The doctor does not take a request, and says why."""
        return self._do(booking.decline, by_doctor=True, suspended_may=True, body=Because)

    @extend_schema(request=NewTime, responses=AppointmentSerializer)
    @action(detail=True, methods=["post"])
    def reschedule(self, request: Request, public_id: Any) -> Response:
        """Move a visit; the old time is kept until the new one is sure."""
        return self._do(booking.reschedule, by_doctor=False, body=NewTime)

    @extend_schema(request=Because, responses=AppointmentSerializer)
    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, public_id: Any) -> Response:
        """Call a visit off."""
        return self._do(booking.cancel, by_doctor=False, body=Because)

    @extend_schema(request=None, responses=AppointmentSerializer)
    @action(detail=True, methods=["post"], url_path="check-in")
    def check_in(self, request: Request, public_id: Any) -> Response:
        """The patient is there."""
        return self._do(booking.check_in, by_doctor=True)

    @extend_schema(request=None, responses=AppointmentSerializer)
    @action(detail=True, methods=["post"])
    def complete(self, request: Request, public_id: Any) -> Response:
        """The visit took place."""
        return self._do(booking.complete, by_doctor=True)

    @extend_schema(request=None, responses=AppointmentSerializer)
    @action(detail=True, methods=["post"], url_path="no-show")
    def no_show(self, request: Request, public_id: Any) -> Response:
        """The patient did not come."""
        return self._do(booking.no_show, by_doctor=True)


def _make(patient: User, answers: dict[str, Any]) -> Appointment:
    analyses = answers.get("analyses", [])
    words = {"reason": answers["reason"], "analyses": analyses}
    if "appointment" in answers:
        mine = Appointment.objects.visible_to(patient)
        hold = get_object_or_404(mine, public_id=answers["appointment"])
        return waitlist.book(hold=hold, **words)
    if answers["hold"]:
        return _hold(patient, answers)
    # What cannot be booked is not held either.
    with transaction.atomic():
        return booking.book(hold=_hold(patient, answers), **words)


def _hold(patient: User, answers: dict[str, Any]) -> Appointment:
    analyses = [str(analysis) for analysis in answers.get("analyses", [])]
    return booking.hold(
        patient=patient,
        doctor=doctor_or_refusal(answers["doctor"]),
        start=answers["start"],
        length=answers["length"],
        urgent=picking.urgent_result(patient, analyses) is not None,
        follows=_followed(patient, answers),
    )


def _followed(patient: User, answers: dict[str, Any]) -> Appointment | None:
    """What it comes after; no visit is refused like one with somebody else."""
    if "follows" not in answers:
        return None
    found = Appointment.objects.visible_to(patient).filter(public_id=answers["follows"]).first()
    if found is None:
        raise ValidationError(_("This visit does not follow from one of yours here."), code="not_yours")
    return found
