"""A release that runs along judges what was answered, keeps no person, and never gets in the way."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from django.db import IntegrityError, connection, transaction
from django.test import Client
from django.utils import timezone

from accounts.models import User
from diagnosis import comparison, jobs, shadow, tasks, worker
from diagnosis.models import Analysis, ShadowResult, Status
from ml_models.runtime import Engine, ReleaseError
from ml_models.taxonomy import Urgency
from tests.conftest import StandInEngine, assessment

Submit = Callable[..., Analysis]


class OtherEngine(StandInEngine):
    name = "other"


@pytest.fixture
def other() -> OtherEngine:
    engine = OtherEngine()
    engine.answer = assessment("nv", Urgency.ROUTINE, release="other")
    return engine


def answered(analysis: Analysis) -> shadow.Answered:
    claimed = jobs.claim(analysis.pk)
    assert claimed is not None
    assert jobs.complete(claimed, assessment())
    return shadow.Answered(analysis.pk, 12.0)


def test_an_answered_image_is_judged_again(alice: User, submit: Submit, other: OtherEngine) -> None:
    analysis = submit(alice)
    result = shadow.compare(other, answered(analysis))  # type: ignore[arg-type]
    assert result is not None
    assert (result.active, result.shadow) == ("test", "other")
    assert (result.top, result.shadow_top) == ("mel", "nv")
    assert (result.urgency, result.shadow_urgency) == ("urgent", "routine")
    assert result.largest_difference == pytest.approx(0.8 - 0.2 / 7)
    assert result.milliseconds == 12.0
    analysis.refresh_from_db()
    assert (analysis.release, analysis.top) == ("test", "mel")


def test_a_comparison_names_neither_person_nor_analysis_nor_hour() -> None:
    fields = {field.name for field in ShadowResult._meta.get_fields()}
    assert not [field for field in ShadowResult._meta.get_fields() if field.is_relation]
    assert fields == {
        "id",
        "day",
        "active",
        "shadow",
        "top",
        "shadow_top",
        "urgency",
        "shadow_urgency",
        "largest_difference",
        "milliseconds",
        "shadow_milliseconds",
    }


def test_what_is_gone_waiting_or_its_own_is_not_compared(
    alice: User, submit: Submit, other: OtherEngine
) -> None:
    waiting, own, gone = submit(alice, 1), submit(alice, 2), submit(alice, 3)
    assert shadow.compare(other, shadow.Answered(waiting.pk, 1.0)) is None  # type: ignore[arg-type]
    answered(own)
    Analysis.objects.filter(pk=own.pk).update(release="other")
    assert shadow.compare(other, shadow.Answered(own.pk, 1.0)) is None  # type: ignore[arg-type]
    job = answered(gone)
    Path(gone.image.path).unlink()
    assert shadow.compare(other, job) is None  # type: ignore[arg-type]
    assert other.calls == 0


def test_a_job_is_offered_after_its_result_and_costs_nothing_without_a_shadow(
    alice: User, submit: Submit, engine: StandInEngine
) -> None:
    standing, _ = worker.ready_worker()
    tasks.analyse(submit(alice, 1).pk)
    assert not standing.shadow._answered
    standing.shadow.want("other")
    second = submit(alice, 2)
    tasks.analyse(second.pk)
    [offered] = standing.shadow._answered
    assert offered.analysis_id == second.pk
    engine.answer = OSError("nothing was written")
    tasks.analyse(submit(alice, 3).pk)
    assert len(standing.shadow._answered) == 1


def test_it_waits_while_a_job_runs(alice: User, submit: Submit, engine: StandInEngine) -> None:
    standing, _ = worker.ready_worker()
    claimed = jobs.claim(submit(alice).pk)
    assert claimed is not None
    with standing.holding(claimed):
        assert standing.idle_for() == 0
    assert not standing.shadow._is_quiet()  # nor in the moment after it
    standing._idle_since -= shadow.QUIET_SECONDS
    assert standing.shadow._is_quiet()


def test_a_row_of_jobs_that_grows_too_long_loses_the_oldest() -> None:
    running = shadow.Shadow(lambda: True)
    running.want("other")
    for number in range(300):
        running.offer(number, 1.0)
    assert len(running._answered) == 200
    assert running._answered[0].analysis_id == 100


def test_a_shadow_that_is_refused_compares_nothing_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(path: Path) -> Engine:
        raise ReleaseError("It is not what was released.")

    monkeypatch.setattr(shadow, "release_path", Path)
    monkeypatch.setattr(Engine, "load", refused)
    running = shadow.Shadow(lambda: True)
    running.want("other")
    running.offer(1, 1.0)
    running.step()
    assert (running.release, running.refusal) == ("other", "It is not what was released.")
    running.step()
    assert not running._has_work()


def test_a_shadow_that_breaks_harms_nobody(
    alice: User, submit: Submit, other: OtherEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "close", lambda: None)  # it is the test's own
    analysis = submit(alice)
    job = answered(analysis)
    other.answer = ZeroDivisionError("a bug in the new release")
    running = shadow.Shadow(lambda: True)
    running.release = running._wanted = "other"
    running._engine = other  # type: ignore[assignment]
    running.offer(job.analysis_id, job.milliseconds)
    running.step()
    assert not running._has_work()
    assert not ShadowResult.objects.exists()
    analysis.refresh_from_db()
    assert analysis.status == Status.DONE


def row(**fields: object) -> ShadowResult:
    values: dict[str, object] = {
        "active": "a-1",
        "shadow": "b-2",
        "top": "mel",
        "shadow_top": "mel",
        "urgency": Urgency.URGENT,
        "shadow_urgency": Urgency.URGENT,
        "largest_difference": 0.1,
        "milliseconds": 10.0,
        "shadow_milliseconds": 20.0,
    }
    return ShadowResult.objects.create(**values | fields)


@pytest.mark.parametrize(
    "fields",
    [{"shadow": "a-1"}, {"top": "xyz"}, {"shadow_top": "xyz"}, {"urgency": "x"}, {"shadow_urgency": ""}],
)
def test_each_rule_of_a_comparison(db: None, fields: dict[str, object]) -> None:
    assert row().pk
    with pytest.raises(IntegrityError), transaction.atomic():
        row(**fields)


def test_the_comparison_counts_agreement_urgency_and_time(
    eve: User, browse: Callable[[User], Client]
) -> None:
    row()
    row(shadow_top="nv", shadow_urgency=Urgency.SOON, milliseconds=30.0)
    row(urgency=Urgency.ROUTINE, shadow_urgency=Urgency.URGENT)
    row(shadow_urgency=Urgency.CANNOT_ASSESS, largest_difference=0.5)
    row(active="b-2", shadow="c-3", day=timezone.localdate() + timedelta(days=1))
    newest, pair = comparison.comparisons()
    assert (newest.active, newest.images, newest.shadow_times.slow) == ("b-2", 1, 20.0)
    assert (pair.images, pair.same_top, pair.same_urgency) == (4, 3, 1)
    assert (pair.more_urgent, pair.less_urgent, pair.assessed_by_one) == (1, 1, 1)
    assert pair.difference == pytest.approx(0.2)
    assert pair.active_times.median == 10.0
    assert pair.urgencies[Urgency.ROUTINE][Urgency.URGENT] == 1
    page = browse(eve).get("/admin/diagnosis/releasechange/comparison/").content.decode()
    assert "a-1 answered, b-2 ran along" in page
    assert "3 (75 %)" in page


def test_before_anything_was_compared_the_page_says_what_to_do(
    eve: User, browse: Callable[[User], Client]
) -> None:
    page = browse(eve).get("/admin/diagnosis/releasechange/comparison/").content.decode()
    assert "Nothing was compared yet." in page
