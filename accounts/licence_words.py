"""What people read about the steps of a licence."""

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from accounts.models import ApplicationEvent, ApplicationStatus

S = ApplicationStatus
Words = tuple[str | Promise, str | Promise]

# On the doctor's own page: where they stand, and what happens next.
_STATES: dict[str, Words] = {
    S.SUBMITTED: (
        _("Your licence is with us"),
        _("A person looks at it, usually within two working days. We write to you as soon as it is done."),
    ),
    S.IN_REVIEW: (
        _("Your licence is being looked at"),
        _("We write to you as soon as it is decided."),
    ),
    S.MORE_ASKED: (
        _("We need something more from you"),
        _("Read what is missing, and answer. Then your application goes on."),
    ),
    S.VERIFIED: (
        _("You are verified"),
        _("Patients find you in the directory and can share their pictures with you."),
    ),
    S.REJECTED: (
        _("Your licence was not accepted"),
        _("Your account stays. You can apply again once what is said here has changed."),
    ),
    S.SUSPENDED: (
        _("You are suspended"),
        _("Until this is settled you see no patient's data and are not in the directory."),
    ),
    S.EXPIRED: (
        _("Your licence has run out"),
        _("You see no patient's data and are not in the directory. Hand in the new licence to go on."),
    ),
    S.REPLACED: (_("Replaced by a newer licence"), ""),
    S.WITHDRAWN: (
        _("You took your application back"),
        _("You can apply again whenever you like."),
    ),
}

# In the mail about a step. It says nothing that only the doctor should read.
_MAILS: dict[str, Words] = {
    S.SUBMITTED: (
        _("We have your licence"),
        _("Thank you for handing it in. A person looks at it, usually within two working days."),
    ),
    S.IN_REVIEW: (_("Your licence is being looked at"), _("We write again as soon as it is decided.")),
    S.MORE_ASKED: (
        _("We need something more for your licence"),
        _("Please read what is missing, and answer there."),
    ),
    S.VERIFIED: (
        _("You are verified"),
        _("From now on patients find you in the directory and can share their pictures with you."),
    ),
    "reinstated": (
        _("You are verified again"),
        _("Your suspension is lifted: you are in the directory, and see again what patients share."),
    ),
    S.REJECTED: (
        _("Your licence was not accepted"),
        _("The reason stands on your page. Your account stays, and you may apply again."),
    ),
    S.SUSPENDED: (
        _("You are suspended"),
        _("The reason stands on your page. Until it is settled you see no patient's data."),
    ),
    S.EXPIRED: (
        _("Your licence has run out"),
        _("You have left the directory and see no patient's data. Hand in the new licence to go on."),
    ),
    S.WITHDRAWN: (_("Your application is taken back"), _("You may apply again whenever you like.")),
}

# In the history.
_STEPS: dict[str, str | Promise] = {
    S.SUBMITTED: _("Handed in"),
    S.IN_REVIEW: _("Review begun"),
    S.MORE_ASKED: _("More information asked"),
    S.VERIFIED: _("Verified"),
    S.REJECTED: _("Not accepted"),
    S.SUSPENDED: _("Suspended"),
    S.EXPIRED: _("Run out"),
    S.REPLACED: _("Replaced by a newer licence"),
    S.WITHDRAWN: _("Taken back"),
}


def state_headline(status: str) -> str:
    return str(_STATES[status][0])


def state_sentence(status: str) -> str:
    return str(_STATES[status][1])


def mail_subject(step: str) -> str:
    return str(_MAILS[step][0])


def mail_sentence(step: str) -> str:
    return str(_MAILS[step][1])


def step_word(event: ApplicationEvent) -> str:
    if event.from_status == S.MORE_ASKED and event.to_status == S.SUBMITTED:
        return str(_("Answered"))
    if event.from_status == S.SUSPENDED and event.to_status == S.VERIFIED:
        return str(_("Suspension lifted"))
    return str(_STEPS[event.to_status])
