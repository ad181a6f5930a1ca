"""What the demo shows of analyses: images that were generated, examined by the real worker, and a share."""

from io import BytesIO

from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import transaction

from accounts.models import CareRelation, User
from accounts.relations import share
from accounts.selectors import is_verified_doctor
from diagnosis.models import Analysis
from diagnosis.services import submit_analysis
from ml_models import synthetic

_IMAGES = ((11, "back"), (12, "lower extremity"), (13, "face"))


def load() -> None:
    """Send a few generated images for Alice, who shares one with Dr Chen. Doing it again changes nothing."""
    alice = User.objects.get(email="alice@example.org")
    analyses = [_send(alice, seed, body_site) for seed, body_site in _IMAGES]
    chen = User.objects.get(email="chen@example.org")
    if is_verified_doctor(chen) and not CareRelation.objects.filter(patient=alice, doctor=chen).exists():
        with transaction.atomic():
            share(patient=alice, doctor=chen, items=[analyses[0].public_id])
            chen.mails.filter(kind="record_shared").delete()  # nobody has to be told of what is made up


def _send(patient: User, seed: int, body_site: str) -> Analysis:
    out = BytesIO()
    synthetic.lesion(seed).save(out, "PNG")
    upload = SimpleUploadedFile("demo.png", out.getvalue(), "image/png")
    return submit_analysis(patient=patient, upload=upload, body_site=body_site).analysis
