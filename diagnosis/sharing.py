"""Analyses as things that a patient can share one by one."""

from django.urls import reverse

from accounts.models import User
from accounts.registries import Shareable
from diagnosis import wording
from diagnosis.models import Analysis


def shareable_analyses(patient: User) -> list[Shareable]:
    return [
        Shareable(
            item=analysis.public_id,
            title=wording.spot_title(analysis.body_site),
            at=analysis.created_at,
            url=analysis.get_absolute_url(),
            thumbnail=reverse("diagnosis:thumbnail", args=[analysis.public_id]),
        )
        for analysis in Analysis.objects.visible_to(patient).only("public_id", "body_site", "created_at")
    ]
