"""Every word that a person reads about an analysis: pages and API take their sentences from here.

Functions translate when they are called, so call them while answering a request.
An unknown code gives the most careful sentence of its kind, never an error on a patient's page.
"""

from django.conf import settings
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from ml_models.taxonomy import ImageType, Reason, Urgency

Text = str | Promise

_CLASS_NAMES: dict[str, Text] = {
    "mel": _("Melanoma"),
    "bcc": _("Basal cell carcinoma"),
    "scc": _("Squamous cell carcinoma (incl. Bowen's disease)"),
    "ak": _("Actinic keratosis"),
    "bkl": _("Seborrheic keratosis or similar"),
    "df": _("Dermatofibroma"),
    "nv": _("Melanocytic nevus (mole)"),
    "vasc": _("Vascular lesion"),
}

_CLASS_SENTENCES: dict[str, Text] = {
    "mel": _("The most dangerous common skin cancer; curable when found early."),
    "bcc": _("A common skin cancer that grows slowly, rarely spreads and needs treatment."),
    "scc": _("A skin cancer that can spread if left alone."),
    "ak": _("Sun damage that can turn into squamous cell carcinoma."),
    "bkl": _(
        "A harmless growth that can look alarming; "
        "solar lentigo and lichen-planus-like keratosis belong here too."
    ),
    "df": _("A harmless firm nodule."),
    "nv": _("A common mole."),
    "vasc": _("A growth of blood vessels, such as a cherry angioma."),
}

_URGENCY_WORDS: dict[str, Text] = {
    Urgency.URGENT: _("Urgent"),
    Urgency.SOON: _("Soon"),
    Urgency.ROUTINE: _("Routine"),
    Urgency.CANNOT_ASSESS: _("Could not be assessed"),
}

_URGENCY_HEADLINES: dict[str, Text] = {
    Urgency.URGENT: _("Have this spot checked soon"),
    Urgency.SOON: _("Show this spot to a dermatologist in the coming weeks"),
    Urgency.ROUTINE: _("A dermatologist can review this at a routine visit"),
    Urgency.CANNOT_ASSESS: _("The computer could not assess this image"),
}

_URGENCY_ADVICE: dict[str, Text] = {
    Urgency.SOON: _(
        "This image has features that a dermatologist should look at in the coming weeks. "
        "This is not a diagnosis. Go sooner if the spot changes, bleeds, itches or grows."
    ),
    Urgency.ROUTINE: _(
        "A dermatologist can review this image. "
        "Come back sooner if the spot changes, bleeds, itches or grows."
    ),
    Urgency.CANNOT_ASSESS: _(
        "The computer could not assess this image. This does not mean that the spot is harmless. "
        "A doctor can look at it."
    ),
}

_REASON_SENTENCES: dict[str, Text] = {
    Reason.UNREADABLE: _("The picture file could not be read."),
    Reason.TOO_SMALL: _("The picture is too small to show the details of the spot."),
    Reason.BLURRED: _("The picture is blurred."),
    Reason.TOO_DARK: _("The picture is too dark."),
    Reason.TOO_BRIGHT: _("The picture is too bright, so details are washed out."),
    Reason.LOW_CONTRAST: _("The spot hardly stands out from the skin around it."),
    Reason.NOT_A_LESION: _("The picture does not seem to show a spot on skin."),
    Reason.OUT_OF_DOMAIN: _("The picture differs too much from those that the computer has learned from."),
    Reason.UNCERTAIN: _("Several explanations are about equally likely, so the computer is too uncertain."),
    Reason.PHONE_PHOTO: _(
        "The picture was taken without a dermatoscope. The computer has only learned from pictures taken "
        "through one, so a doctor has to look at it."
    ),
    Reason.RED_FLAG: _("Your answers name a warning sign, so the result was raised."),
}

_REASON_REMEDIES: dict[str, Text] = {
    Reason.UNREADABLE: _("Take a new picture, or send the original file instead of a copy from a chat."),
    Reason.TOO_SMALL: _("Send the original picture instead of a preview, and go closer to the spot."),
    Reason.BLURRED: _(
        "Hold the device still, tap the spot on the screen to focus, and wait until it is sharp."
    ),
    Reason.TOO_DARK: _("Go to a window or switch on a light, and keep your shadow off the spot."),
    Reason.TOO_BRIGHT: _("Avoid direct sun and flash; daylight in the shade is best."),
    Reason.LOW_CONTRAST: _(
        "Use even daylight and wipe the lens; hair or cream over the spot should be out of the way."
    ),
    Reason.NOT_A_LESION: _("Put one spot in the middle of the picture, with a little skin around it."),
    Reason.OUT_OF_DOMAIN: _(
        "Use a dermatoscope if you can, with one spot in the middle and nothing drawn on it."
    ),
    Reason.UNCERTAIN: _("A sharp picture in even light can help. If it does not, a doctor has to decide."),
    Reason.PHONE_PHOTO: _("If somebody near you has a dermatoscope, a picture through it can be assessed."),
}

_FIGURES_MEAN_LITTLE = _(
    "The computer has never learned from pictures of this kind, so these values mean little."
)

_STATUS_WORDS: dict[str, Text] = {
    "queued": _("Waiting its turn"),
    "running": _("Being analysed"),
    "done": _("Finished"),
    "failed": _("Not analysed"),
    "rejected": _("Picture not readable"),
}

_BODY_SITES: dict[str, Text] = {  # from head to foot, as a person looks for a place
    "scalp": _("Scalp"),
    "face": _("Face"),
    "ear": _("Ear"),
    "neck": _("Neck"),
    "chest": _("Chest"),
    "abdomen": _("Belly"),
    "back": _("Back"),
    "trunk": _("Trunk, elsewhere"),
    "genital": _("Genital area"),
    "upper extremity": _("Arm"),
    "hand": _("Hand"),
    "lower extremity": _("Leg"),
    "foot": _("Foot"),
    "acral": _("Palm, sole or nail"),
    "unknown": _("Not sure, or elsewhere"),
}

_IMAGE_TYPES: dict[str, Text] = {
    ImageType.DERMATOSCOPIC: _("Through a dermatoscope"),
    ImageType.PHONE: _("With a phone or camera alone"),
}

# How well a picture fits a class, with the least probability of each word: about the picture, not the spot.
_MATCH_WORDS: tuple[tuple[float, Text], ...] = (
    (0.5, _("strong match")),
    (0.2, _("moderate match")),
    (0.05, _("weak match")),
    (0.0, _("hardly any match")),
)

_REFUSALS: dict[str, Text] = {
    "empty": _("This file is empty. Choose the picture again, or take a new one."),
    "not_an_image": _("This file is not a picture. Choose a photo in JPEG, PNG, WebP or HEIC format."),
    "unsupported_format": _(
        "We cannot take this kind of picture. Choose a photo in JPEG, PNG, WebP or HEIC format."
    ),
    "truncated": _(
        "This picture is incomplete: a part of the file is missing. Choose the original, or take a new one."
    ),
    "too_many_pixels": _("This picture has too many pixels for us to open. Send a smaller version of it."),
    "too_large": _("This file is larger than %(limit_mb)s MB. Send a smaller version of the picture."),
    "too_small": _(
        "This picture is too small: its shorter side needs at least %(min_side)s pixels. "
        "Send the original instead of a preview."
    ),
    "too_narrow": _(
        "This picture is too narrow: one side is more than %(max_ratio)s times as long as the other. "
        "Crop it nearer to a square around the spot."
    ),
}

_JOB_PROBLEMS: dict[str, Text] = {
    "gave_up": _(
        "Our system could not finish this analysis, although it tried several times. "
        "Your picture is safe. Please send it again; if this happens twice, show the spot to a doctor."
    ),
    "undecodable": _(
        "We could not open the stored picture, so it was not analysed. "
        "Please send it again, or take a new picture of the spot."
    ),
}


def class_name(code: str) -> str:
    return str(_CLASS_NAMES.get(code, code))


def class_sentence(code: str) -> str:
    """What the condition is in general; never a statement about one picture."""
    return str(_CLASS_SENTENCES.get(code, ""))


def match_word(probability: float) -> str:
    return str(next(word for least, word in _MATCH_WORDS if probability >= least))


def percent(probability: float) -> str:
    """A probability for reading: whole per cent, and never a certainty that no model has."""
    if probability < 0.01:
        return str(_("under 1\u00a0%"))
    if probability > 0.99:
        return str(_("over 99\u00a0%"))
    return str(_("%(number)d\u00a0%%")) % {"number": round(100 * probability)}


def urgency_word(urgency: str) -> str:
    return str(_URGENCY_WORDS.get(urgency, _URGENCY_WORDS[Urgency.CANNOT_ASSESS]))


def urgency_headline(urgency: str) -> str:
    return str(_URGENCY_HEADLINES.get(urgency, _URGENCY_HEADLINES[Urgency.CANNOT_ASSESS]))


def urgency_advice(urgency: str) -> str:
    """What to do now, in two or three sentences."""
    if urgency == Urgency.URGENT:
        weeks: int = settings.DERMA_URGENT_WEEKS
        return ngettext(
            "This image has features that should be checked soon by a skin specialist. "
            "This is not a diagnosis. Book the earliest visit; "
            "if you cannot be seen within %(weeks)d week, contact your doctor.",
            "This image has features that should be checked soon by a skin specialist. "
            "This is not a diagnosis. Book the earliest visit; "
            "if you cannot be seen within %(weeks)d weeks, contact your doctor.",
            weeks,
        ) % {"weeks": weeks}
    return str(_URGENCY_ADVICE.get(urgency, _URGENCY_ADVICE[Urgency.CANNOT_ASSESS]))


def reason_sentence(reason: str) -> str:
    return str(_REASON_SENTENCES.get(reason, _("The computer gave no reason that we can put in words.")))


def reason_remedy(reason: str) -> str:
    """How to take a better picture; empty where a better picture would not help."""
    return str(_REASON_REMEDIES.get(reason, ""))


def figures_mean_little() -> str:
    """What stands beside the probabilities of a picture whose patient's page withholds them."""
    return str(_FIGURES_MEAN_LITTLE)


def status_word(status: str) -> str:
    return str(_STATUS_WORDS.get(status, status))


def body_site_name(site: str) -> str:
    return str(_BODY_SITES.get(site, site))


def body_site_choices() -> list[tuple[str, Text]]:
    return list(_BODY_SITES.items())


def spot_title(site: str) -> str:
    """How a list calls an analysis: by the place on the body."""
    return str(_("Spot")) if site == "unknown" else body_site_name(site)


def image_type_name(image_type: str) -> str:
    return str(_IMAGE_TYPES.get(image_type, image_type))


def image_type_choices() -> list[tuple[str, Text]]:
    return list(_IMAGE_TYPES.items())


def upload_refusal(code: str, **params: object) -> str:
    """The sentence for a refused file; `params` may override limit_mb, min_side and max_ratio."""
    sentence = str(_REFUSALS.get(code, _REFUSALS["not_an_image"]))
    return sentence % {"limit_mb": upload_limit_mb(), "min_side": 200, "max_ratio": 4, **params}


def job_problem(code: str) -> str:
    """The sentence for an analysis that ended as failed or rejected."""
    return str(_JOB_PROBLEMS.get(code, _JOB_PROBLEMS["gave_up"]))


def upload_limit_mb() -> int:
    """The upload limit in whole megabytes, read as binary ones where it is a multiple of them."""
    size: int = settings.DERMA_MAX_UPLOAD_BYTES
    return size // 2**20 if size % 2**20 == 0 else size // 10**6
