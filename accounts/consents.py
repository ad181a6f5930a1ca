"""What a person is asked to agree to, and what became of it."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.template.loader import render_to_string
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from accounts.models import Consent, ConsentKind, User
from accounts.selectors import CONSENT_VERSIONS


@dataclass(frozen=True)
class ConsentState:
    """One question to a person, with everything that they ever answered, the latest first."""

    kind: ConsentKind
    version: int  # of the present text
    history: Sequence[Consent]

    @property
    def in_force(self) -> Consent | None:
        """The consent that was given and not withdrawn, to whatever version."""
        return next((consent for consent in self.history if consent.withdrawn_at is None), None)

    @property
    def is_given(self) -> bool:
        """Whether the present text is agreed to."""
        return self.in_force is not None and self.in_force.version == self.version

    @property
    def is_outdated(self) -> bool:
        """Whether an older text was agreed to, so that the question is open again."""
        return self.in_force is not None and not self.is_given

    @property
    def title(self) -> str:
        return str(self.kind.label)

    @property
    def without(self) -> str:
        """What it means not to agree."""
        if self.kind == ConsentKind.CARE:
            return _(
                "Without it no new pictures can be sent. What you have sent before stays in your record "
                "until you erase it."
            )
        return _("Nothing depends on it: without it your care is the same.")


def consent_state(user: User, kind: ConsentKind) -> ConsentState:
    history = list(Consent.objects.filter(user=user, kind=kind).order_by("-given_at", "-pk"))
    return ConsentState(kind, CONSENT_VERSIONS[kind], history)


def consent_states(user: User) -> list[ConsentState]:
    """All questions, in their order."""
    return [consent_state(user, kind) for kind in CONSENT_VERSIONS]


def consent_text(kind: ConsentKind, version: int | None = None) -> SafeString:
    """A text as it is read before agreeing: the present one, or an earlier version."""
    return render_to_string(f"accounts/consents/{kind}_{version or CONSENT_VERSIONS[kind]}.html")
