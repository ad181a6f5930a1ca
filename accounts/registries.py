"""What this app asks of apps above it: each fills these when it is loaded, none is known here by name."""

import datetime
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from accounts.models import User


@dataclass(frozen=True)
class ExportedFile:
    """A file of an export: its path inside of the archive, and its content when it is asked for."""

    path: str
    read: Callable[[], bytes]


@dataclass(frozen=True)
class ExportSection:
    """What an app adds to a person's export."""

    title: str  # for the index page
    rows: list[dict[str, Any]]  # the same as plain values, for the index page; keys are column titles
    files: list[ExportedFile] = field(default_factory=list)
    resources: list[dict[str, Any]] = field(default_factory=list)  # FHIR R4


@dataclass(frozen=True)
class Kept:
    """What the retention rule keeps of a person's records."""

    what: str
    count: int
    until: datetime.date
    why: str


@dataclass(frozen=True)
class Erasure:
    """What an app erases of a person: shown first by `preview`, done by `erase` inside of a transaction.

    `preview` and `erase` give what is erased by kind, with its count, and what is kept. `erase` returns the
    names of files to delete once the transaction is committed. `obstacle` is a sentence for the person that
    says why it cannot be done right now, or empty.
    """

    preview: Callable[[User], tuple[dict[str, int], list[Kept]]]
    erase: Callable[[User], tuple[dict[str, int], list[Kept], list[str]]]
    obstacle: Callable[[User], str] = lambda user: ""


@dataclass(frozen=True)
class NamedFiles:
    """Folders of the media folder that an app writes, and the files in them that some row names."""

    folders: tuple[str, ...]
    names: Callable[[], Iterator[str]]


@dataclass(frozen=True)
class Shareable:
    """One thing of a patient that can be shared by itself: its public id, and how a list shows it."""

    item: UUID
    title: str
    at: datetime.datetime
    url: str
    thumbnail: str  # address of a picture


@dataclass(frozen=True)
class FreeTime:
    """A time of a doctor that can be chosen at once."""

    start: datetime.datetime
    minutes: int
    place: str
    for_urgent: bool  # kept for urgent cases


exporters: list[Callable[[User], ExportSection]] = []
erasures: list[Erasure] = []
# Erase what was kept of people who have gone, once its time is over; gives the names of files to delete.
lapsed: list[Callable[[], list[str]]] = []
# What lies in one of these folders, is old and is named by no row, is swept away.
named_files: list[NamedFiles] = []
# Doctors' next free time by the doctor's primary key; those without one are missing in the answer.
NextFreeTimes = Callable[[Iterable[int]], dict[int, datetime.datetime]]
next_free_times: list[NextFreeTimes] = []
# For whoever has an urgent result of their own (its public id): how to ask for doctors' earliest times, those
# that are kept for urgent cases too, by the doctor's primary key. None for any other result and anybody else.
EarliestTimes = Callable[[Iterable[int]], dict[int, list[FreeTime]]]
earliest_times: list[Callable[[User, UUID], EarliestTimes | None]] = []
# What patients say of doctors, by the doctor's primary key: stars on average, and of how many. Those of whom
# too few have said anything are missing in the answer.
DoctorRatings = Callable[[Iterable[int]], dict[int, tuple[float, int]]]
doctor_ratings: list[DoctorRatings] = []
# Called inside the transaction in which a doctor stops being verified: (doctor, reason).
doctor_stopped: list[Callable[[User, str], None]] = []
# Called inside the transaction in which a doctor is verified, for the first time or again.
doctor_verified: list[Callable[[User], None]] = []
# What of a patient can be shared by itself.
shareables: list[Callable[[User], Iterable[Shareable]]] = []
