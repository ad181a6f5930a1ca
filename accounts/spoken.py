"""The languages that a doctor may speak, by their ISO 639-1 codes."""

from functools import cache

from django.conf.locale import LANG_INFO
from django.utils.functional import Promise
from django.utils.translation import get_language, get_language_info
from django.utils.translation import gettext_lazy as _

from accounts.folding import fold

# Spoken by many, but not among the languages that Django has names for.
_FURTHER: dict[str, str | Promise] = {
    "am": _("Amharic"),
    "gu": _("Gujarati"),
    "ku": _("Kurdish"),
    "ps": _("Pashto"),
    "si": _("Sinhala"),
    "so": _("Somali"),
    "ti": _("Tigrinya"),
    "tl": _("Filipino"),
    "zh": _("Chinese"),
}
# Written forms of Norwegian, and languages that nobody has grown up with.
_LEFT_OUT = frozenset({"nb", "nn", "eo", "ia", "io"})
LANGUAGES = frozenset({code for code in LANG_INFO if len(code) == 2} - _LEFT_OUT | _FURTHER.keys())


def language_name(code: str) -> str:
    """In the language of the reader; the code itself where there is no name."""
    if code in _FURTHER:
        return str(_FURTHER[code])
    return str(get_language_info(code)["name_translated"]) if code in LANGUAGES else code


def language_choices() -> list[tuple[str, str]]:
    """Code and name, sorted by name in the present language."""
    return _sorted(get_language() or "")


@cache
def _sorted(language: str) -> list[tuple[str, str]]:
    return sorted(((code, language_name(code)) for code in LANGUAGES), key=lambda row: fold(row[1]))
