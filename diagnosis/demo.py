"""What the demo shows of analyses: images that were generated, examined by the real worker."""

from io import BytesIO

from django.core.files.uploadedfile import SimpleUploadedFile

from accounts.models import User
from diagnosis.services import submit_analysis
from ml_models import synthetic

_IMAGES = ((11, "back"), (12, "lower extremity"), (13, "face"))


def load() -> None:
    """Send a few generated images for Alice. Sending them again changes nothing."""
    alice = User.objects.get(email="alice@example.org")
    for seed, body_site in _IMAGES:
        out = BytesIO()
        synthetic.lesion(seed).save(out, "PNG")
        submit_analysis(
            patient=alice,
            upload=SimpleUploadedFile("demo.png", out.getvalue(), "image/png"),
            body_site=body_site,
        )
