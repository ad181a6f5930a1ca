from dataclasses import dataclass

from django import forms
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from accounts import verification
from accounts.models import ApplicationStatus, DoctorApplication

S = ApplicationStatus


@dataclass(frozen=True)
class Decision:
    """A button of the page about an application."""

    to: ApplicationStatus
    words: str | Promise
    is_first: bool = False


_DECISIONS = (
    Decision(S.VERIFIED, _("Verify"), is_first=True),
    Decision(S.MORE_ASKED, _("Ask for more")),
    Decision(S.REJECTED, _("Reject")),
    Decision(S.IN_REVIEW, _("Begin the review")),
    Decision(S.SUSPENDED, _("Suspend")),
)
_LIFT = Decision(S.VERIFIED, _("Lift the suspension"), is_first=True)


def decisions_about(application: DoctorApplication) -> list[Decision]:
    """The buttons that make sense now, the usual one first."""
    possible = verification.possible_decisions(application)
    offered = [decision for decision in _DECISIONS if decision.to in possible]
    if application.status == S.SUSPENDED:
        return [_LIFT if decision.to == S.VERIFIED else decision for decision in offered]
    return offered


class DecisionForm(forms.Form):
    """A decision about an application: which button, why, and the last event on the page it was made on."""

    to = forms.ChoiceField(choices=S.choices)
    seen = forms.IntegerField(required=False)
    reason = forms.CharField(
        label=_("Reason, or what is missing"),
        help_text=_("The doctor reads it. It may stay empty when you verify."),
        max_length=2000,
        required=False,
        widget=forms.Textarea(attrs={"rows": 4}),
    )
