"""Which release answers: chosen by administrators with a reason, refused where it does not match."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import IntegrityError, transaction
from django.test import Client

from accounts.models import User
from dermaplatform import checks
from dermaplatform.launcher import prepare
from diagnosis import releases
from diagnosis.models import ReleaseChange, Slot
from ml_models import release as folder
from tests.releases import copy_release, damage, edit_card, forget_cards

OLD, NEW, THIRD = "old-1", "new-2", "third-3"


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: Any) -> Iterator[Path]:
    """Good releases side by side, of which the first is the default."""
    settings.DERMA_RELEASE = ""
    source = folder.release_path(folder.default_release())
    root = tmp_path / "releases"
    for name in (OLD, NEW, THIRD):
        copy_release(source, root / name)
    (root / "DEFAULT").write_text(OLD)
    monkeypatch.setattr(folder, "RELEASES", root)
    forget_cards()
    yield root
    forget_cards()


def activate(eve: User, release: str = NEW, seen: int = 0) -> ReleaseChange:
    return releases.activate(release=release, reason="Better on our images.", by=eve, seen=seen)


def test_where_nobody_has_chosen_the_default_answers(tree: Path, db: None) -> None:
    assert releases.active_release() == OLD
    assert releases.shadow_release() == ""


def test_a_choice_says_who_when_and_why(tree: Path, eve: User) -> None:
    change = activate(eve)
    assert releases.active_release() == NEW
    assert (change.previous, change.by, change.number) == (OLD, eve, 1)
    assert change.reason == "Better on our images."


def test_rolling_back_returns_to_the_release_before(tree: Path, eve: User) -> None:
    activate(eve)
    change = releases.roll_back(by=eve, seen=1)
    assert releases.active_release() == OLD
    assert change.reason == f"Rolled back from {NEW}."
    assert ReleaseChange.objects.count() == 2


@pytest.mark.parametrize(
    ("chosen", "before"),
    [
        ([], ""),
        ([NEW], OLD),
        ([NEW, OLD], ""),  # back where it began
        ([NEW, OLD, THIRD], OLD),  # and not the one that was left
        ([NEW, THIRD], NEW),
        ([NEW, THIRD, NEW], OLD),
        ([NEW, THIRD, OLD], THIRD),  # straight to the first: a choice like any other
    ],
)
def test_rolling_back_never_leads_to_what_was_rolled_back(
    tree: Path, eve: User, chosen: list[str], before: str
) -> None:
    previous = OLD
    for number, release in enumerate(chosen, 1):
        ReleaseChange.objects.create(
            slot=Slot.ACTIVE, number=number, release=release, previous=previous, reason="x", by=eve
        )
        previous = release
    assert releases.release_before() == before
    if before:
        assert releases.roll_back(by=eve, seen=len(chosen)).release == before
    else:
        with pytest.raises(ValidationError, match="No release was active"):
            releases.roll_back(by=eve, seen=len(chosen))


def test_who_rolls_back_from_an_old_page_is_told(tree: Path, eve: User) -> None:
    activate(eve)
    releases.roll_back(by=eve, seen=1)
    with pytest.raises(ValidationError, match="Somebody else"):
        releases.roll_back(by=eve, seen=1)  # the button pressed twice
    assert releases.active_release() == OLD


def test_where_nothing_is_active_an_administrator_can_choose(
    tree: Path, eve: User, browse: Callable[[User], Client]
) -> None:
    (tree / "DEFAULT").unlink()
    client = browse(eve)
    assert client.get(LIST).status_code == 200
    assert "No release answers patients now." in client.get(f"{LIST}activate/{NEW}/").content.decode()
    client.post(f"{LIST}activate/{NEW}/", {"seen": 0, "reason": "Something has to answer."})
    chosen = releases.latest(Slot.ACTIVE)
    assert chosen is not None
    assert (chosen.previous, chosen.release) == ("", NEW)
    with pytest.raises(ValidationError, match="No release was active"):
        releases.roll_back(by=eve, seen=1)
    assert "Roll back to" not in client.get(LIST).content.decode()


def test_where_nothing_is_active_a_release_may_run_along(tree: Path, eve: User) -> None:
    (tree / "DEFAULT").unlink()
    assert releases.run_along(release=NEW, reason="To compare.", by=eve, seen=0).release == NEW


def test_there_is_nothing_to_roll_back_to_before_the_first_choice(tree: Path, eve: User) -> None:
    with pytest.raises(ValidationError, match="No release was active"):
        releases.roll_back(by=eve, seen=0)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"classes": ["mel", "nv"]}, "has the classes mel nv"),
        ({"format": 99}, "has format 99"),
        ({"input": {"size": [160, 160], "geometry": "stretched", "scaling": "0..1"}}, "in another way"),
        ({"name": OLD}, f"The folder {NEW} holds the release {OLD}"),
    ],
)
def test_a_release_that_does_not_match_is_refused(
    tree: Path, eve: User, changes: dict[str, Any], sentence: str
) -> None:
    edit_card(tree / NEW, tree / NEW, **changes)
    with pytest.raises(ValidationError, match=sentence):
        activate(eve)
    assert releases.active_release() == OLD


def test_a_release_with_a_damaged_file_is_refused(tree: Path, eve: User) -> None:
    damage(tree / NEW)
    with pytest.raises(ValidationError, match=r"golden\.json .* is not the one that was released"):
        activate(eve)
    assert not ReleaseChange.objects.exists()


def test_a_release_that_answers_already_is_no_change(tree: Path, eve: User) -> None:
    with pytest.raises(ValidationError, match="answers patients already"):
        activate(eve, OLD)


@pytest.mark.parametrize("reason", ["", "   "])
def test_a_reason_is_needed(tree: Path, eve: User, reason: str) -> None:
    with pytest.raises(ValidationError):
        releases.activate(release=NEW, reason=reason, by=eve, seen=0)


def test_of_two_administrators_one_comes_second_and_is_told(tree: Path, eve: User) -> None:
    activate(eve)
    with pytest.raises(ValidationError, match="Somebody else"):
        releases.activate(release=OLD, reason="I looked at an old page.", by=eve, seen=0)
    assert releases.active_release() == NEW


@pytest.mark.parametrize("person", ["alice", "chen"])
def test_only_administrators_choose(tree: Path, person: str, request: pytest.FixtureRequest) -> None:
    with pytest.raises(PermissionDenied):
        activate(request.getfixturevalue(person))


def test_the_environment_comes_before_what_was_chosen(tree: Path, eve: User, settings: Any) -> None:
    activate(eve)
    settings.DERMA_RELEASE = OLD
    assert releases.active_release() == OLD
    with pytest.raises(ValidationError, match="DERMA_RELEASE in the environment names"):
        releases.roll_back(by=eve, seen=1)


def test_a_shadow_is_never_the_release_that_answers(tree: Path, eve: User) -> None:
    with pytest.raises(ValidationError, match="nothing to compare"):
        releases.run_along(release=OLD, reason="Why not.", by=eve, seen=0)
    releases.run_along(release=NEW, reason="To compare.", by=eve, seen=0)
    assert releases.shadow_release() == NEW
    activate(eve)
    assert releases.shadow_release() == ""
    ended = releases.latest(Slot.SHADOW)
    assert ended is not None
    assert (ended.release, ended.previous) == ("", NEW)


def test_a_comparison_ends_when_it_is_told_to(tree: Path, eve: User) -> None:
    releases.run_along(release=NEW, reason="To compare.", by=eve, seen=0)
    releases.run_along(release="", reason="Seen enough.", by=eve, seen=1)
    assert releases.shadow_release() == ""
    with pytest.raises(ValidationError, match="No release runs along"):
        releases.run_along(release="", reason="Again.", by=eve, seen=2)


@pytest.mark.parametrize(
    ("fields", "whole"),
    [
        ({}, True),
        ({"slot": Slot.SHADOW, "release": ""}, True),
        ({"release": ""}, False),
        ({"release": OLD}, False),
        ({"reason": ""}, False),
        ({"slot": "other"}, False),
    ],
)
def test_each_rule_of_a_choice_from_both_sides(eve: User, fields: dict[str, Any], whole: bool) -> None:
    row = {"slot": Slot.ACTIVE, "number": 1, "release": NEW, "previous": OLD, "reason": "x", "by": eve}
    if whole:
        assert ReleaseChange.objects.create(**row | fields).pk
    else:
        with pytest.raises(IntegrityError), transaction.atomic():
            ReleaseChange.objects.create(**row | fields)


def test_a_number_is_used_once_in_a_slot(eve: User) -> None:
    row = {"number": 1, "release": NEW, "previous": OLD, "reason": "x", "by": eve}
    ReleaseChange.objects.create(slot=Slot.ACTIVE, **row)
    ReleaseChange.objects.create(slot=Slot.SHADOW, **row)
    with pytest.raises(IntegrityError), transaction.atomic():
        ReleaseChange.objects.create(slot=Slot.ACTIVE, **row)


def test_the_checks_name_a_chosen_release_that_does_not_match(tree: Path, eve: User, settings: Any) -> None:
    activate(eve)
    assert checks.chosen_releases_are_fit(None, databases=["default"]) == []
    damage(tree / NEW)
    [error] = checks.chosen_releases_are_fit(None, databases=["default"])
    assert error.id == "derma.E008"
    assert "golden.json" in error.msg
    assert checks.release_is_fit(None) == []
    assert checks.chosen_releases_are_fit(None) == []  # without the database
    settings.DERMA_RELEASE = NEW
    assert checks.chosen_releases_are_fit(None, databases=["default"]) == []
    [error] = checks.release_is_fit(None)
    assert error.id == "derma.E001"


def test_a_release_that_runs_along_and_does_not_match_keeps_nobody_from_deploying(
    tree: Path, eve: User
) -> None:
    releases.run_along(release=NEW, reason="To compare.", by=eve, seen=0)
    shutil.rmtree(tree / NEW)
    [caution] = checks.chosen_releases_are_fit(None, databases=["default"])
    assert (caution.id, caution.is_serious()) == ("derma.W002", False)


def test_a_chosen_release_that_does_not_match_does_not_stop_the_start(
    tree: Path, eve: User, capsys: pytest.CaptureFixture[str]
) -> None:
    activate(eve)
    damage(tree / NEW)
    assert prepare.checks_pass()
    assert capsys.readouterr().out == ""


def test_a_release_of_the_tree_that_does_not_match_stops_it_before_the_database_is_touched(
    tree: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    called: list[str] = []
    monkeypatch.setattr(prepare, "call_command", lambda name, **options: called.append(name))
    monkeypatch.setenv("DERMA_STATE_DIR", str(tmp_path))
    (tmp_path / "run").mkdir()
    assert prepare.main() == 0
    assert "migrate" in called
    called.clear()
    capsys.readouterr()
    damage(tree / OLD)
    assert prepare.main() == 1
    assert not called
    [line] = capsys.readouterr().out.splitlines()
    assert "golden.json of the release old-1 is not the one that was released." in line
    assert line.endswith("Set DERMA_RELEASE to a folder in ml_models/releases.")


LIST = "/admin/diagnosis/releasechange/"


def test_an_administrator_activates_with_a_reason_and_rolls_back_with_one_click(
    tree: Path, eve: User, browse: Callable[[User], Client]
) -> None:
    client = browse(eve)
    assert "old-1" in client.get(LIST).content.decode()
    page = client.get(f"{LIST}activate/{NEW}/")
    assert page.context["form"].initial == {"seen": 0}
    refused = client.post(f"{LIST}activate/{NEW}/", {"seen": 0, "reason": ""})
    assert refused.status_code == 422
    done = client.post(f"{LIST}activate/{NEW}/", {"seen": 0, "reason": "Better."}, follow=True)
    assert "From the next image on new-2 answers patients." in done.content.decode()
    assert "Roll back to old-1" in done.content.decode()
    assert client.get(f"{LIST}back/").status_code == 405
    back = client.post(f"{LIST}back/", {"seen": 1}, follow=True)
    assert "From the next image on old-1 answers patients." in back.content.decode()
    assert "Roll back to" not in back.content.decode()
    assert releases.active_release() == OLD


def test_an_administrator_reads_why_a_release_is_refused(
    tree: Path, eve: User, browse: Callable[[User], Client]
) -> None:
    damage(tree / NEW)
    client = browse(eve)
    assert "golden.json" in client.get(LIST).content.decode()
    answer = client.post(f"{LIST}activate/{NEW}/", {"seen": 0, "reason": "Better."})
    assert answer.status_code == 422
    assert "This release is refused." in answer.content.decode()
    again = client.post(f"{LIST}back/", {"seen": "x"}, follow=True)
    assert "Enter a whole number." in again.content.decode()


@pytest.mark.parametrize("seen", [2**31 - 1, 2**63 - 1])
def test_a_number_that_no_page_has_shown_is_overtaken_however_large(
    tree: Path, eve: User, browse: Callable[[User], Client], seen: int
) -> None:
    for page in (f"activate/{NEW}/", f"along/{NEW}/"):
        answer = browse(eve).post(LIST + page, {"seen": seen, "reason": "Better."})
        assert answer.status_code == 422
        assert "Somebody else has changed this in the meantime." in answer.content.decode()
    assert not ReleaseChange.objects.exists()


def test_an_administrator_lets_a_release_run_along_and_ends_it(
    tree: Path, eve: User, browse: Callable[[User], Client]
) -> None:
    client = browse(eve)
    assert client.get(f"{LIST}along/{NEW}/").status_code == 200
    client.post(f"{LIST}along/{NEW}/", {"seen": 0, "reason": "To compare."})
    assert releases.shadow_release() == NEW
    assert "End the comparison" in client.get(LIST).content.decode()
    client.post(f"{LIST}end/", {"seen": 1, "reason": "Seen enough."})
    assert releases.shadow_release() == ""


@pytest.mark.parametrize("person", ["alice", "chen"])
@pytest.mark.parametrize("page", ["", f"activate/{NEW}/", f"along/{NEW}/", "end/", "back/", "comparison/"])
def test_nobody_else_comes_here(
    tree: Path, person: str, page: str, browse: Callable[[User], Client], request: pytest.FixtureRequest
) -> None:
    client = browse(request.getfixturevalue(person))
    for answer in (client.get(LIST + page), client.post(LIST + page, {"seen": 0, "reason": "x"})):
        assert answer.status_code in (302, 403)
    assert not ReleaseChange.objects.exists()


def test_a_release_that_is_not_installed_has_no_page(
    tree: Path, eve: User, browse: Callable[[User], Client]
) -> None:
    assert browse(eve).get(f"{LIST}activate/nowhere/").status_code == 404
    shutil.rmtree(tree / NEW)
    assert browse(eve).get(f"{LIST}along/{NEW}/").status_code == 404
