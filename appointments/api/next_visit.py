"""The next visit, which a doctor books for the patient, for apps."""

from typing import Any, cast
from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.models import User
from appointments import booking, next_visits, visits
from appointments.api.of_visit import OfVisit
from appointments.api.refusals import as_slots, told
from appointments.api.serializers import AppointmentSerializer, DaysQuery, Moment, length_field
from appointments.api.times import FREE_TIMES, window
from appointments.api.visits import KEY
from appointments.availability import bookable
from appointments.models import Appointment
from appointments.slots import Slot


class NextTime(serializers.Serializer[Any]):
    """When the next visit is."""

    start = Moment()
    length = length_field()


class NextVisit(OfVisit):
    """The visit after one, which its doctor books once the patient is there and while the record is open."""

    @extend_schema(operation_id="appointments_next_slots_list", parameters=[DaysQuery], responses=FREE_TIMES)
    def get(self, request: Request, public_id: UUID) -> Response:
        """Times that the doctor can give the patient; without `length` for a visit as long as this one.

        Notice does not bind the doctor, and times kept for urgent cases are among them.
        """
        after = self.visit_as_doctor(public_id)
        query = DaysQuery(data=request.query_params)
        query.is_valid(raise_exception=True)
        doctor = cast(User, request.user)
        with told():
            booking.refuse_next(after, doctor)
        self.note_look(after)
        return Response({"results": as_slots(_free(after, doctor, query.validated_data))})

    @extend_schema(
        operation_id="appointments_next_create",
        request=NextTime,
        responses={201: AppointmentSerializer},
        parameters=[KEY],
    )
    def post(self, request: Request, public_id: UUID) -> Response:
        """Book it: confirmed at once, and the patient is told. A time that is gone is 409 with `next_free`.

        The same time twice books once.
        """
        after = self.visit_as_doctor(public_id)
        asked = NextTime(data=request.data)
        asked.is_valid(raise_exception=True)
        doctor, answers = cast(User, request.user), asked.validated_data
        with told():
            try:
                made = booking.once(
                    user=doctor,
                    key=request.headers.get("Idempotency-Key", ""),
                    asked={"after": after.public_id, **answers},
                    make=lambda: booking.book_next(after=after, by=doctor, **answers),
                )
            except booking.SlotTaken as taken:
                taken.next_free = _alternatives(after, doctor, answers)
                raise
        booked = visits.visible(doctor).get(pk=made.pk)
        self.note_look(booked)
        return Response(AppointmentSerializer(booked, context={"request": request}).data, status=201)


def _free(after: Appointment, doctor: User, asked: dict[str, Any]) -> list[Slot]:
    schedule = bookable(doctor)
    days = window(asked, schedule, doctor.zone) if schedule else None
    if schedule is None or days is None:
        return []
    length = asked.get("length") or next_visits.length_of(after, schedule)
    return next_visits.free(after, schedule, length=length, since=days[0], until=days[1])


def _alternatives(after: Appointment, doctor: User, answers: dict[str, Any]) -> list[Slot]:
    schedule = bookable(doctor)
    return next_visits.alternatives(after, schedule, **answers) if schedule else []
