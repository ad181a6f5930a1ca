"""Each constraint from both sides, and the one way to change a status."""

import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from accounts.models import User
from diagnosis.models import TRANSITIONS, Analysis, Problem, Status
from ml_models.taxonomy import CODES, Urgency

NOW = timezone.now()
LEASE: dict[str, Any] = {"lease_token": uuid.UUID(int=1), "lease_expires_at": NOW + timedelta(seconds=15)}
RESULT = {
    "release": "r",
    "top": "mel",
    "probabilities": dict.fromkeys(CODES, 0.125),
    "urgency": Urgency.SOON,
}
WHOLE: dict[Status, dict[str, Any]] = {
    Status.QUEUED: {},
    Status.RUNNING: LEASE,
    Status.DONE: {**RESULT, "finished_at": NOW},
    Status.FAILED: {"problem": Problem.GAVE_UP, "finished_at": NOW},
    Status.REJECTED: {"problem": Problem.UNDECODABLE, "finished_at": NOW},
}


def make(patient: User, status: Status, **fields: Any) -> Analysis:
    return Analysis.objects.create(
        patient=patient,
        sha256=uuid.uuid4().hex,
        width=300,
        height=240,
        status=status,
        **fields,
    )


@pytest.mark.parametrize("status", Status)
def test_a_whole_row_of_each_status_is_accepted(alice: User, status: Status) -> None:
    assert make(alice, status, **WHOLE[status]).pk


BROKEN = {
    "running without a lease": (Status.RUNNING, {}),
    "queued with a lease": (Status.QUEUED, LEASE),
    "done without a result": (Status.DONE, {"finished_at": NOW}),
    "done without a release": (Status.DONE, {**WHOLE[Status.DONE], "release": ""}),
    "done with an urgency that does not exist": (Status.DONE, {**WHOLE[Status.DONE], "urgency": "fine"}),
    "done with a class that does not exist": (Status.DONE, {**WHOLE[Status.DONE], "top": "acne"}),
    "done at no time": (Status.DONE, RESULT),
    "a result while queued": (Status.QUEUED, RESULT),
    "failed without saying why": (Status.FAILED, {"finished_at": NOW}),
    "a problem while done": (Status.DONE, {**WHOLE[Status.DONE], "problem": Problem.GAVE_UP}),
    "a time of finishing while queued": (Status.QUEUED, {"finished_at": NOW}),
    "an unknown status": ("paused", {}),
    "an unknown kind of image": (Status.QUEUED, {"image_type": "x-ray"}),
    "an unknown body site": (Status.QUEUED, {"body_site": "soul"}),
}


@pytest.mark.parametrize(("status", "fields"), BROKEN.values(), ids=BROKEN.keys())
def test_the_database_refuses(alice: User, status: Status, fields: dict[str, Any]) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        make(alice, status, **fields)


@pytest.mark.parametrize("first", Status)
def test_the_same_bytes_again_only_after_no_result(alice: User, first: Status) -> None:
    earlier = make(alice, first, **WHOLE[first])
    again = Analysis(patient=alice, sha256=earlier.sha256, width=300, height=240)
    if first in (Status.FAILED, Status.REJECTED):
        again.save()
    else:
        with pytest.raises(IntegrityError), transaction.atomic():
            again.save()


@given(source=st.sampled_from(Status), target=st.sampled_from(Status))
def test_transitions_end_in_finished_states_and_never_start_there(source: Status, target: Status) -> None:
    finished = {Status.DONE, Status.FAILED, Status.REJECTED}
    if source in finished:
        assert not TRANSITIONS[source]
    if target in TRANSITIONS[source] & finished:
        assert source == Status.RUNNING  # no result without a claim


def test_a_move_that_is_not_in_the_table_is_an_error(alice: User) -> None:
    with pytest.raises(ValueError, match="never goes"):
        make(alice, Status.QUEUED).move(Status.DONE)


def test_of_two_who_read_the_same_row_one_moves_it(alice: User) -> None:
    analysis = make(alice, Status.QUEUED)
    other = Analysis.objects.get(pk=analysis.pk)
    assert analysis.move(Status.RUNNING, **LEASE)
    assert not other.move(Status.RUNNING, lease_token=uuid.uuid4(), lease_expires_at=NOW)
    analysis.refresh_from_db()
    assert analysis.lease_token == LEASE["lease_token"]
    assert [event.to_status for event in analysis.events.all()] == [Status.RUNNING]


def test_visible_to(alice: User, bob: User, chen: User, eve: User, submit: Callable[..., Analysis]) -> None:
    mine, theirs = submit(alice), submit(bob)
    assert set(Analysis.objects.visible_to(alice)) == {mine}
    assert set(Analysis.objects.visible_to(bob)) == {theirs}
    assert not Analysis.objects.visible_to(chen).exists()
    assert not Analysis.objects.visible_to(eve).exists()
