"""What becomes of a patient's analyses when the patient is erased.

An analysis that a doctor has reviewed is a medical record, and the retention rule keeps it for
DERMA_RETENTION_YEARS from the review, without saying whose it is. Every other one goes, with its files.
"""

import datetime
from collections.abc import Callable, Iterable, Iterator

from django.conf import settings
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from accounts.erasure import erased_people
from accounts.models import User
from accounts.registries import Erasure, Kept, NamedFiles
from diagnosis.models import Analysis, AnalysisEvent

# Upper apps say when a doctor last reviewed an analysis, by its primary key; those without are missing.
ReviewTimes = Callable[[Iterable[int]], dict[int, datetime.datetime]]
review_times: list[ReviewTimes] = []


def kept_until(reviewed: datetime.datetime) -> datetime.date:
    """The last day on which a record that was reviewed then is kept."""
    day = timezone.localdate(reviewed)
    years = day.year + settings.DERMA_RETENTION_YEARS
    try:
        return day.replace(year=years)
    except ValueError:  # the 29th of February
        return datetime.date(years, 3, 1)


def _kept(analyses: QuerySet[Analysis]) -> dict[int, datetime.date]:
    """By primary key: what the retention rule keeps of these, and until when."""
    keys = list(analyses.values_list("pk", flat=True))
    reviews: dict[int, datetime.datetime] = {}
    for times in review_times:
        for key, reviewed in times(keys).items():
            reviews[key] = max(reviewed, reviews.get(key, reviewed))
    today = timezone.localdate()
    ends = {key: kept_until(reviewed) for key, reviewed in reviews.items()}
    return {key: end for key, end in ends.items() if end >= today}


def _sort_out(analyses: QuerySet[Analysis]) -> tuple[QuerySet[Analysis], list[Kept]]:
    """What goes, and what is kept."""
    kept = _kept(analyses)
    if not kept:
        return analyses, []
    years: int = settings.DERMA_RETENTION_YEARS
    why = ngettext(
        "A doctor has reviewed them, and such records are kept for %(years)d year, without your name.",
        "A doctor has reviewed them, and such records are kept for %(years)d years, without your name.",
        years,
    )
    row = Kept(_("Analyses with their images"), len(kept), max(kept.values()), why % {"years": years})
    return analyses.exclude(pk__in=kept), [row]


def _obstacle(patient: User) -> str:
    if Analysis.objects.filter(patient=patient).waiting().exists():
        return _(
            "An analysis of yours is being examined right now. Wait until it has finished, which "
            "usually takes a few seconds, and try again."
        )
    return ""


def _preview(patient: User) -> tuple[dict[str, int], list[Kept]]:
    going, kept = _sort_out(Analysis.objects.filter(patient=patient))
    return {_("Analyses with their images"): going.count()}, kept


def _erase(patient: User) -> tuple[dict[str, int], list[Kept], list[str]]:
    going, kept = _sort_out(Analysis.objects.filter(patient=patient))
    count = going.count()
    return {_("Analyses with their images"): count}, kept, _delete(going)


def _delete(analyses: QuerySet[Analysis]) -> list[str]:
    """Delete rows; the names of the files that belonged to them."""
    keys = list(analyses.values_list("pk", flat=True))
    going = Analysis.objects.filter(pk__in=keys)
    files = [name for names in going.values_list("image", "thumbnail") for name in names if name]
    AnalysisEvent.objects.filter(analysis__in=keys).delete()
    going.delete()
    return files


def erase_lapsed() -> list[str]:
    """Erase analyses of people who have gone that nothing keeps any longer."""
    left = Analysis.objects.filter(patient__in=erased_people())
    going, _still_kept = _sort_out(left)
    return _delete(going)


def _named_files() -> Iterator[str]:
    for names in Analysis.objects.values_list("image", "thumbnail").iterator():
        yield from names


ERASURE = Erasure(preview=_preview, erase=_erase, obstacle=_obstacle)
NAMED_FILES = NamedFiles(folders=("images", "thumbnails"), names=_named_files)
