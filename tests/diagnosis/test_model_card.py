"""The card of a release as a public page: it shows what the card has, and leaves out what it has not."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from accounts.models import User
from diagnosis import model_card, releases
from diagnosis.models import Analysis
from ml_models import release as folder
from tests.releases import copy_release, damage, forget_cards

SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><style>text{fill:red}</style></svg>'
MEASURED: dict[str, Any] = {
    "sensitivity_at_specificity": {"0.80": 0.91, "0.90": 0.82, "ci": {"0.80": [0.87, 0.94], "0.90": None}},
    "refused": {"share": 0.03, "n": 45, "reasons": {"blurred": 30, "not_a_lesion": 15}},
    "subgroups": {
        "sex": {
            "female": {
                "n": 700,
                "balanced_accuracy": 0.81,
                "ci": {"balanced_accuracy": [0.77, 0.85]},
                "sensitivity_at_specificity": {"0.80": 0.9, "ci": {"0.80": [0.85, 0.95]}},
                "refused": {"share": 0.02},
            },
            "unknown": {"n": 3, "balanced_accuracy": None, "sensitivity_at_specificity": {"0.80": None}},
        },
        "age": {"45-59": {"n": 400, "balanced_accuracy": 0.8}},
        "localization": {"lower extremity": {"n": 200, "balanced_accuracy": 0.8}},
    },
}


@pytest.fixture
def release(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: Any) -> Iterator[Path]:
    """The default release, as one that was measured in every way."""
    settings.DERMA_RELEASE = ""
    path = tmp_path / "releases" / "whole-1"
    copy_release(folder.release_path(folder.default_release()), path)
    card = json.loads((path / folder.CARD).read_text())
    (path / "plots").mkdir(exist_ok=True)
    (path / "plots" / "roc.svg").unlink(missing_ok=True)  # a link to the real one
    (path / "plots" / "roc.svg").write_bytes(SVG)
    card["plots"] = {"roc": "plots/roc.svg", "confusion": "golden.json", "reliability": "../x.svg"}
    card["metrics"]["test"] |= MEASURED
    card["metrics"]["test"]["views"]["8"]["ci"] = {"accuracy": [0.79, 0.84], "recall": {"mel": [0.51, 0.67]}}
    card["explanation"] = {"shown": True, "test": {"val": {"loss_by_map": 0.4}}}
    folder.seal(path, card)
    (path.parent / "DEFAULT").write_text("whole-1")
    monkeypatch.setattr(folder, "RELEASES", path.parent)
    forget_cards()
    yield path
    forget_cards()


def test_anybody_reads_the_card_of_the_release_that_answers(client: Client, db: None) -> None:
    answer = client.get("/about/classifier/")
    page = answer.content.decode()
    assert folder.default_release() in page
    for words in (
        "Intended use",
        "Not validated on darker skin",
        "CC BY-NC 4.0",
        "Class by class",
        "HAM10000",
    ):
        assert words in page
    assert "/about/classifier/" in client.get("/about/").content.decode()


def test_it_shows_everything_that_was_measured(client: Client, release: Path, db: None) -> None:
    page = client.get("/about/classifier/").content.decode()
    for words in (
        "(0.790 \u2013 0.840)",
        "(0.510 \u2013 0.670)",
        "Women",
        "Not known",
        "45\u201359 years",
        "Leg",
        "where 80\u00a0% of the others are left in peace",
        "Does covering what the map points at change the answer?",
        "Images that it would not judge",
    ):
        assert words in page, words


@pytest.mark.parametrize(("suspicious", "shown"), [(9, "\u2013"), (10, "0.500"), (None, "0.500")])
def test_a_sensitivity_over_next_to_no_malignant_images_is_no_figure(
    suspicious: int | None, shown: str
) -> None:
    found = {"0.80": 0.5, "ci": {"0.80": None}} | ({} if suspicious is None else {"suspicious": suspicious})
    row = model_card._group({"n": 90, "sensitivity_at_specificity": found})
    assert [cell.value for cell in row] == ["90", "\u2013", shown, "\u2013"]


def test_it_leaves_out_what_a_card_has_not(release: Path) -> None:
    raw = json.loads((release / folder.CARD).read_text())
    raw["metrics"] = {"test": {"views": {"7": {"n": 5, "accuracy": 0.8}}}}
    raw["explanation"] = {"shown": False}
    del raw["plots"]
    (release / folder.CARD).write_text(json.dumps(raw))
    card = folder.read_card(release)
    [table] = model_card.tables(card)
    assert table.title == "Overall"
    assert [cell.value for cell in table.rows[0][1]] == ["5", "0.800", "\u2013", "\u2013", "\u2013"]
    assert model_card.plots(card) == []
    raw["metrics"] = {}
    (release / folder.CARD).write_text(json.dumps(raw))
    assert model_card.tables(folder.read_card(release)) == []


def test_a_drawing_leaves_under_a_fixed_type_and_may_do_nothing(client: Client, release: Path) -> None:
    answer = client.get("/about/classifier/whole-1/plots/roc.svg")
    assert answer.content == SVG
    assert answer["Content-Type"] == "image/svg+xml"
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["Content-Security-Policy"] == "default-src 'none'; style-src 'unsafe-inline'; sandbox"
    assert model_card.plots(folder.read_card(release))[0].name == "roc"
    assert len(model_card.plots(folder.read_card(release))) == 1


@pytest.mark.parametrize("name", ["confusion", "reliability", "risk_coverage", "card"])
def test_nothing_else_of_a_release_leaves(client: Client, release: Path, name: str) -> None:
    assert client.get(f"/about/classifier/whole-1/plots/{name}.svg").status_code == 404


def test_a_drawing_that_is_not_what_was_released_does_not_leave(client: Client, release: Path) -> None:
    (release / "plots" / "roc.svg").write_bytes(SVG + b"<script/>")
    assert client.get("/about/classifier/whole-1/plots/roc.svg").status_code == 404
    (release / "plots" / "roc.svg").unlink()
    assert client.get("/about/classifier/whole-1/plots/roc.svg").status_code == 404


@pytest.mark.parametrize("name", ["nowhere", "..", "%2e%2e", "DEFAULT"])
def test_a_release_that_is_not_there_has_no_card(client: Client, db: None, name: str) -> None:
    assert client.get(f"/about/classifier/{name}/").status_code == 404


def test_a_release_installed_later_has_a_card_at_once(client: Client, release: Path, db: None) -> None:
    hidden = release.rename(release.with_name("not-yet"))
    assert client.get("/about/classifier/whole-1/").status_code == 404
    hidden.rename(release)
    assert client.get("/about/classifier/whole-1/").status_code == 200


def test_a_release_whose_files_are_others_shows_no_figures(
    client: Client, release: Path, db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = (release / folder.GOLDEN).read_text()
    damage(release)
    for url in ("/about/classifier/", "/about/classifier/whole-1/"):
        refused = client.get(url)
        page = refused.content.decode()
        assert refused.status_code == 503
        assert "The figures of whole-1 are not shown" in page
        assert "The file golden.json of the release whole-1 is not the one that was released." in page
        assert "Class by class" not in page
    (release / folder.GOLDEN).write_text(whole)
    assert "Class by class" in client.get("/about/classifier/").content.decode()
    monkeypatch.setattr(releases, "verified", None)  # hashed once, and not for each visitor
    assert client.get("/about/classifier/").status_code == 200


def test_a_release_whose_figures_were_changed_shows_none(client: Client, release: Path, db: None) -> None:
    card = release / folder.CARD
    card.write_text(card.read_text().replace("0.91", "0.99"))
    refused = client.get("/about/classifier/")
    assert refused.status_code == 503
    assert "The card of the release whole-1 is not the one that was released." in refused.content.decode()


def test_a_card_that_cannot_be_read_is_not_taken_for_a_release_that_is_gone(
    client: Client, release: Path, db: None
) -> None:
    (release / folder.CARD).write_text("{")
    refused = client.get("/about/classifier/whole-1/")
    assert refused.status_code == 503
    assert "The card of the release in the folder whole-1 cannot be read." in refused.content.decode()
    assert str(release.parent) not in refused.content.decode()  # anybody reads it


def test_an_older_release_says_that_it_is_one(
    client: Client, release: Path, settings: Any, alice: User, browse: Callable[[User], Client]
) -> None:
    settings.DERMA_RELEASE = "another-2"
    page = client.get("/about/classifier/whole-1/").content.decode()
    assert "This is whole-1, which does not answer new images now." in page
    assert "See another-2, which does." in page
    assert client.get("/about/classifier/").status_code == 404  # it is not installed


def test_a_result_leads_to_the_card_of_the_release_that_made_it(
    alice: User, browse: Callable[[User], Client], release: Path, submit: Callable[..., Analysis], engine: Any
) -> None:
    from diagnosis import tasks
    from tests.conftest import assessment

    engine.answer = assessment(release="whole-1")
    analysis = submit(alice)
    tasks.analyse(analysis.pk)
    damage(release)  # neither hashed nor refused for a result that exists
    page = browse(alice).get(analysis.get_absolute_url()).content.decode()
    assert 'href="/about/classifier/whole-1/"' in page
