"""What belongs to one visit: how its endpoints find the visit, and who may go on."""

from uuid import UUID

from django.shortcuts import get_object_or_404
from rest_framework.exceptions import PermissionDenied
from rest_framework.permissions import IsAuthenticated
from rest_framework.views import APIView

from accounts.access_log import record_access
from accounts.models import Opened
from appointments import visits
from appointments.models import Appointment


class OfVisit(APIView):
    permission_classes = (IsAuthenticated,)

    def visit(self, public_id: UUID) -> Appointment:
        """One of the person's own, for either of the two."""
        return get_object_or_404(visits.visible(self.request.user), public_id=public_id)

    def visit_as_doctor(self, public_id: UUID) -> Appointment:
        """For what only its doctor does: 403 for the patient."""
        appointment = self.visit(public_id)
        if appointment.doctor_id != self.request.user.pk:
            raise PermissionDenied
        return appointment

    def visit_as_patient(self, public_id: UUID) -> Appointment:
        """For what only its patient does: 403 for the doctor."""
        appointment = self.visit(public_id)
        if appointment.patient_id != self.request.user.pk:
            raise PermissionDenied
        return appointment

    def note_look(self, appointment: Appointment) -> None:
        """The patient can read that the doctor looked. Call it before the answer is made."""
        record_access(self.request, appointment.patient, Opened.VISIT, appointment.public_id)
