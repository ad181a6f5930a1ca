"""What the route census needs: a small world, and how to ask every route in it as everybody."""

import hashlib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from allauth.mfa.models import Authenticator
from cryptography.hazmat.primitives.asymmetric import ec
from django.core.files.base import ContentFile
from django.db import transaction
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver
from django.utils import timezone
from fido2.cose import ES256
from fido2.utils import websafe_encode
from fido2.webauthn import AttestationObject, AttestedCredentialData, AuthenticatorData

from accounts.models import (
    AccessEvent,
    BreakGlass,
    CareRelation,
    DataExport,
    DoctorApplication,
    ErasureReceipt,
    ExportStatus,
    Notice,
    PatientProfile,
    Scope,
    User,
)
from appointments import availability, booking
from appointments.models import (
    Appointment,
    CalendarFeed,
    PhotoRequest,
    Place,
    Schedule,
    ScheduleException,
    UrgentFollowUp,
    VisitFile,
    VisitNote,
    WaitlistEntry,
    WaitStatus,
    WeeklyRule,
)
from diagnosis.models import Analysis, Status
from ml_models.runtime import default_release
from ml_models.taxonomy import CODES, Urgency
from tests import images
from tests.accounts.licences import hand_in
from tests.conftest import PASSWORD

METHODS = ("GET", "POST", "PATCH", "DELETE")
# In the order of the columns. Objects in addresses are Alice's, or the unverified doctor's where doctors have
# them: everybody else asks for what is another person's.
PEOPLE = ("visitor", "alice", "bob", "chen", "diaz", "frey", "eve")
SECRET = "a cough syrup that nobody else takes"  # in Alice's profile, and why she wants to be seen
FEED = "a-token-of-alice"


@dataclass
class Visits:
    """What Alice has with Dr Chen, and a day off of Dr Frey."""

    booked: Appointment
    held: Appointment
    file: VisitFile
    note: VisitNote  # a draft
    photo: PhotoRequest
    wait: WaitlistEntry  # with an offer
    day_off: ScheduleException
    feed: CalendarFeed
    notice: Notice


@dataclass
class World:
    """Alice shares her record with Dr Chen, no longer with Dr Diaz, and with Dr Frey, who is not verified."""

    people: dict[str, User]
    analysis: Analysis
    examined: Analysis
    relation: CareRelation
    export: DataExport
    application: DoctorApplication
    receipt: ErasureReceipt
    glass: BreakGlass  # closed long ago
    key: Authenticator
    visits: Visits
    tokens: dict[str, str]  # of sessions, by name

    def of(self, route: str) -> dict[str, Any]:
        """What stands for the parameters of a route."""
        for beginning, values in self._objects().items():
            if route.startswith(beginning):
                return values
        return {}

    def _objects(self) -> dict[str, dict[str, Any]]:
        alice, chen = self.people["alice"], self.people["chen"]
        visits = self.visits
        held, booked = ({"public_id": visit.public_id} for visit in (visits.held, visits.booked))
        wait, day_off = {"public_id": visits.wait.public_id}, {"public_id": visits.day_off.public_id}
        notice = {"public_id": visits.notice.public_id}
        return {
            "visits/<public_id>/book/": held,
            "visits/<public_id>/release/": held,
            "visits/": {**booked, "file_id": visits.file.public_id, "photo_id": visits.photo.public_id},
            "waiting/": wait,
            "notices/": notice,
            "settings/hours/exceptions/": day_off,
            "follow-ups/": {"public_id": self.examined.public_id},
            "calendar/": {"token": FEED},
            "about/classifier/": {"release": default_release(), "name": "none"},
            "admin/diagnosis/releasechange/": {"release": default_release()},
            "analyses/<public_id>/overlay/": {"public_id": self.examined.public_id, "code": "mel"},
            "analyses/": {"public_id": self.analysis.public_id},
            "patients/": {"public_id": alice.public_id},
            "doctors/": {"public_id": chen.public_id},
            "settings/sharing/": {"public_id": self.relation.public_id},
            "settings/licence/documents/": {"public_id": self.application.public_id, "number": 1},
            "settings/consents/": {"kind": "care"},
            "settings/data/": {"public_id": self.export.public_id},
            "erased/": {"public_id": self.receipt.public_id},
            "accounts/2fa/webauthn/keys/": {"pk": self.key.pk},
            "accounts/confirm-email/": {"key": "none"},
            "accounts/password/reset/key/": {"uidb36": "1", "key": "none"},
            "admin/r/": {"content_type_id": 1, "object_id": alice.pk},
            "admin/accounts/user/": {"object_id": alice.pk, "id": alice.pk},
            "admin/accounts/doctorapplication/": {"object_id": self.application.pk},
            "admin/accounts/breakglass/": {"object_id": self.glass.pk},
            "admin/<app_label>/": {"app_label": "accounts"},
            "admin/<url>": {"url": "nothing/"},
            "api/v1/analyses/": {"public_id": self.analysis.public_id},
            "api/v1/patients/": {"public_id": alice.public_id},
            "api/v1/doctors/": {"public_id": chen.public_id},
            "api/v1/appointments/": {
                **booked,
                "file_id": visits.file.public_id,
                "request_id": visits.photo.public_id,
            },
            "api/v1/follow-ups/": {"public_id": self.examined.public_id},
            "api/v1/me/hours/exceptions/": day_off,
            "api/v1/me/waitlist/": wait,
            "api/v1/me/notices/": notice,
            "api/v1/shares/": {"public_id": self.relation.public_id},
            "api/v1/me/consents/": {"kind": "care"},
            "api/v1/me/exports/": {"public_id": self.export.public_id},
        }

    def body_of(self, route: str) -> dict[str, Any]:
        """What is sent along, where the address does not say whose thing is meant."""
        share = {"doctor": str(self.people["diaz"].public_id), "analyses": [str(self.analysis.public_id)]}
        return {"share/": share, "api/v1/shares/": share}.get(route, {})


def make_world(people: dict[str, User], submit: Callable[..., Analysis]) -> World:
    alice, frey = people["alice"], people["frey"]
    now = timezone.now()
    PatientProfile.objects.update_or_create(user=alice, defaults={"medication": SECRET})
    export = DataExport(
        user=alice,
        status=ExportStatus.READY,
        finished_at=now,
        expires_at=now + timedelta(days=7),
    )
    export.file.save("x.zip", ContentFile(b"PK"), save=True)
    people["chen"].doctor_profile.photo.save(
        "x.jpg", ContentFile(images.encoded(images.picture())), save=True
    )
    _relation(alice, frey)
    _relation(alice, people["diaz"], since=now - timedelta(days=2), until=now - timedelta(days=1))
    tokens = {name: _sign_in(person) for name, person in people.items()}
    examined = _examined(submit(alice, seed=1))
    return World(
        people=people,
        tokens=tokens,
        analysis=submit(alice),
        examined=examined,
        relation=_relation(alice, people["chen"]),
        export=export,
        application=hand_in(frey),
        receipt=ErasureReceipt.objects.create(),
        glass=BreakGlass.objects.create(
            admin=people["eve"],
            patient=alice,
            reason="Bleeding",
            opened_at=now - timedelta(days=2),
            until=now - timedelta(days=1, hours=23),
        ),
        key=_passkey(alice),
        visits=_visits(alice, people["chen"], frey, examined),
    )


def _visits(alice: User, chen: User, frey: User, urgent: Analysis) -> Visits:
    schedule = Schedule.objects.create(doctor=chen, time_zone="Europe/Zurich", notice_hours=0)
    WeeklyRule.objects.bulk_create(
        WeeklyRule(schedule=schedule, weekday=weekday, begins=0, ends=24 * 60, place=Place.CLINIC)
        for weekday in range(7)
    )
    since = timezone.now() + timedelta(days=3)
    free = availability.free_times(schedule, length=30, since=since, until=since + timedelta(days=1))
    booked = booking.book(hold=_hold(alice, chen, free[8].start), reason=SECRET)
    wait = WaitlistEntry.objects.create(
        patient=alice,
        doctor=chen,
        appointment=booked,
        length=30,
        before=booked.start,
        status=WaitStatus.OFFERED,
        offer=_hold(alice, chen, free[4].start, offered=True),
    )
    UrgentFollowUp.objects.create(analysis=urgent)  # after the booking, which would close it
    frey_schedule = Schedule.objects.create(doctor=frey, time_zone="Europe/Zurich")
    tomorrow = timezone.localdate() + timedelta(days=1)
    file = VisitFile(appointment=booked, by=alice, title=SECRET, content_type="image/png")
    file.file.save("x", ContentFile(images.encoded(images.picture())), save=True)
    return Visits(
        booked=booked,
        held=_hold(alice, chen, free[12].start),
        file=file,
        note=VisitNote.objects.create(appointment=booked, author=chen, private=SECRET),
        photo=PhotoRequest.objects.create(
            appointment=booked, patient=alice, doctor=chen, due_on=tomorrow, note=SECRET
        ),
        wait=wait,
        day_off=ScheduleException.objects.create(
            schedule=frey_schedule,
            kind="off",
            first_day=tomorrow,
            last_day=tomorrow,
            begins=0,
            ends=24 * 60,
        ),
        feed=CalendarFeed.objects.create(user=alice, digest=hashlib.sha256(FEED.encode()).hexdigest()),
        notice=Notice.objects.filter(recipient=alice).latest("pk"),
    )


def _hold(patient: User, doctor: User, start: datetime, *, offered: bool = False) -> Appointment:
    return booking.hold(patient=patient, doctor=doctor, start=start, length=30, offered=offered)


def _examined(analysis: Analysis) -> Analysis:
    """With a result, and a map of what the computer looked at."""
    Analysis.objects.filter(pk=analysis.pk).update(
        status=Status.DONE,
        finished_at=timezone.now(),
        top="mel",
        probabilities={code: 1 / len(CODES) for code in CODES},
        urgency=Urgency.URGENT,
        release="test",
        activation={"mel": [[0.0, 1.0], [0.5, 0.2]]},
    )
    return analysis


def _relation(patient: User, doctor: User, **fields: Any) -> CareRelation:
    return CareRelation.objects.create(patient=patient, doctor=doctor, scope=Scope.RECORD, **fields)


def _sign_in(person: User) -> str:
    """The key of a session that is not asked for the password again for a while."""
    client = Client()
    client.post("/accounts/login/", {"login": person.email, "password": PASSWORD})
    client.post("/accounts/reauthenticate/", {"password": PASSWORD})
    return client.cookies["sessionid"].value


def _passkey(person: User) -> Authenticator:
    """As a browser registers one."""
    public = ES256.from_cryptography_key(ec.generate_private_key(ec.SECP256R1()).public_key())
    held = AttestedCredentialData.create(b"\0" * 16, b"key", public)
    data = AuthenticatorData.create(b"\0" * 32, AuthenticatorData.FLAG.AT, 0, held)
    response = {
        "clientDataJSON": websafe_encode(b'{"type": "webauthn.create", "challenge": "", "origin": ""}'),
        "attestationObject": websafe_encode(AttestationObject.create("none", data, {})),
    }
    credential = {"id": websafe_encode(b"key"), "rawId": websafe_encode(b"key"), "type": "public-key"}
    return Authenticator.objects.create(
        user=person,
        type=Authenticator.Type.WEBAUTHN,
        data={"name": "Key", "credential": {**credential, "response": response}},
    )


# Routes, as they stand in the table


def routes(resolver: URLResolver | None = None, before: str = "") -> Iterator[str]:
    """Every route of the project without regular expressions: `analyses/<public_id>/`."""
    for pattern in (resolver or get_resolver()).url_patterns:
        route = before + _plain(str(pattern.pattern))
        if isinstance(pattern, URLPattern):
            yield route
        else:
            yield from routes(pattern, route)


def _plain(route: str) -> str:
    route = re.sub(r"\(\?P<(\w+)>(?:[^()]|\([^()]*\))*\)", r"<\1>", route)
    return re.sub(r"<\w+:(\w+)>", r"<\1>", route.replace("^", "").replace("$", ""))


# Asking


@dataclass(frozen=True)
class Answer:
    address: str
    status: int
    body: bytes
    events: int  # how often this was written to the log of who opened Alice's record


def ask(world: World, route: str, method: str, who: str) -> Answer:
    """What this person gets. Whatever it changes is undone."""
    address = "/" + re.sub(r"<(\w+)>", lambda found: str(world.of(route)[found[1]]), route)
    client = Client(raise_request_exception=False)
    headers = {}
    if route.startswith(("api/", "_allauth/")):
        headers = {"X-Session-Token": world.tokens.get(who, "")} if who in world.tokens else {}
    elif who in world.tokens:
        client.cookies["sessionid"] = world.tokens[who]
    body: dict[str, Any] = {}
    if method != "GET":
        json = headers or route.startswith(("api/", "_allauth/")) or method != "POST"
        body = {"data": world.body_of(route)} | ({"content_type": "application/json"} if json else {})
    with transaction.atomic():
        before = AccessEvent.objects.count()
        response: Any = getattr(client, method.lower())(address, headers=headers, **body)
        content = b"".join(response.streaming_content) if response.streaming else response.content
        answer = Answer(address, response.status_code, content, AccessEvent.objects.count() - before)
        transaction.set_rollback(True)
    return answer


# The table


def read_table(text: str) -> dict[tuple[str, str], tuple[int, ...]]:
    """Status for each person by route and method.

    A line begins with a route, or goes on with the one above. A single status is everybody's.
    """
    table: dict[tuple[str, str], tuple[int, ...]] = {}
    route = ""
    for line in text.splitlines():
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        words = line.split()
        if not line.startswith(" "):
            route = words.pop(0).removeprefix("/")
        statuses = tuple(map(int, words[1:]))
        everybody = statuses * len(PEOPLE) if len(statuses) == 1 else statuses
        assert len(everybody) == len(PEOPLE), f"{line!r} needs {len(PEOPLE)} statuses."
        for method in words[0].split(","):
            assert (route, method) not in table, f"{method} {route} stands there twice."
            table[route, method] = everybody
    return table


def write_table(observed: dict[tuple[str, str], tuple[int, ...]]) -> str:
    """The other way round, to compare by eye."""
    lines = []
    for route in dict.fromkeys(route for route, _ in observed):
        by_statuses: dict[tuple[int, ...], list[str]] = {}
        for method in METHODS:
            if (route, method) in observed:
                by_statuses.setdefault(observed[route, method], []).append(method)
        start = f"/{route}"
        for statuses, methods in by_statuses.items():
            numbers = statuses[:1] if len(set(statuses)) == 1 else statuses
            lines.append(f"{start:<57} {','.join(methods):<22} {' '.join(map(str, numbers))}")
            start = ""
    return "\n".join(lines)
