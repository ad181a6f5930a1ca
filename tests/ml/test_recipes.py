"""The recipes are data: they travel through JSON, and their commands lead back to them."""

import shlex
from dataclasses import replace
from typing import Any

import pytest

from ml_models import cli
from ml_models.data import DataError
from ml_models.recipes import RECIPES, Network, Phase, Recipe, Split, command
from ml_models.taxonomy import CODES


def test_there_are_five_published_systems_and_ours() -> None:
    assert list(RECIPES) == [
        "dermavision",
        "dermavisionapp",
        "dermai",
        "dermascan",
        "dermascan-ios",
        "derma",
    ]


@pytest.mark.parametrize("recipe", RECIPES.values(), ids=str)
def test_a_recipe_goes_through_json_unchanged(recipe: Recipe) -> None:
    import json

    assert Recipe.from_json(json.loads(json.dumps(recipe.to_json()))) == recipe


def test_a_recipe_of_another_version_is_told() -> None:
    content = RECIPES["derma"].to_json()
    for spoiled in (content | {"magic": 1}, {"size": 160}, content | {"network": "gpt"}):
        with pytest.raises(DataError, match="another version"):
            Recipe.from_json(spoiled)


@pytest.mark.parametrize("recipe", RECIPES.values(), ids=str)
def test_classes_and_their_order_are_the_taxonomys(recipe: Recipe) -> None:
    assert set(recipe.class_weights) <= set(recipe.classes)
    assert len(recipe.classes) == int(recipe.view)


def test_ours_tells_all_eight_apart_with_one_linear_layer() -> None:
    assert RECIPES["derma"].classes == CODES
    assert RECIPES["derma"].network is Network.LITE


def test_a_coarser_view_is_trained_on_its_own_classes() -> None:
    assert RECIPES["dermavisionapp"].classes == ("bcc", "bkl", "mel", "nv")
    assert set(RECIPES["dermascan"].classes) == {"mel", "bcc", "benign"}


def test_overrides_share_the_epochs_out() -> None:
    recipe = RECIPES["derma"]
    least = len(recipe.phases)
    for epochs in (least, least + 1, 10, 23, 60):
        changed = recipe.changed(epochs=epochs)
        assert changed.epochs == epochs
        assert all(phase.epochs >= 1 for phase in changed.phases)
    assert recipe.changed(epochs=recipe.epochs) == recipe
    assert recipe.changed() == recipe
    with pytest.raises(DataError, match=f"{least} phases"):
        recipe.changed(epochs=least - 1)
    small = recipe.changed(size=96)
    assert {phase.size for phase in small.phases} == {96}
    assert (small.size, small.seed) == (96, recipe.seed)


def test_an_epoch_belongs_to_its_phase() -> None:
    recipe = RECIPES["dermascan-ios"]
    assert [recipe.phase_of(epoch) for epoch in (1, 3, 4, 8, 9)] == [0, 0, 1, 1, 1]


@pytest.mark.parametrize(
    "recipe",
    [
        RECIPES["derma"],
        RECIPES["dermai"].changed(epochs=5, size=96, seed=7),
        RECIPES["derma"].changed(size=64, limit=100),
        RECIPES["dermavision"].changed(split=Split.DERMAVISION),
    ],
    ids=["derma", "dermai", "small", "dermavision"],
)
def test_the_command_of_a_run_leads_back_to_its_recipe(
    recipe: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Any] = []

    def keep(args: Any) -> int:
        seen.append(args)
        return 0

    monkeypatch.setattr("ml_models.cli_training._train", keep)
    words = shlex.split(command("some-run", recipe))
    assert words[:3] == ["python", "-m", "ml_models"]
    assert cli.main(words[3:]) == 0
    (args,) = seen
    assert args.name == "some-run"
    again = RECIPES[args.recipe].changed(
        epochs=args.epochs, size=args.size, seed=args.seed, limit=args.limit, split=args.split
    )
    assert again == recipe


def test_size_is_what_serves() -> None:
    phases = tuple(Phase(epochs=1, size=size, learning_rate=1e-3) for size in (160, 224))
    assert Recipe(name="two", phases=phases).size == 224


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"views": 4}, "from 4 sides"),
        ({"patience": 3}, "several phases"),
        ({"phases": (Phase(1, 32, 1e-3, warm_up_epochs=1.0, cosine=False),)}, "not supported"),
    ],
)
def test_recipes_that_cannot_be_carried_out_are_refused(changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(DataError, match=sentence):
        replace(RECIPES["derma"], **changes)


def test_no_release_teaches_on_the_leaking_split() -> None:
    """It has learnt from images of the other side."""
    derma = RECIPES["derma"]
    phase = replace(derma.phases[-1], teachers=("before", "some-release"))
    honest = replace(derma, phases=(*derma.phases[:-1], phase))
    leaking = honest.changed(split=Split.DERMAVISION)
    assert leaking.phases[-1].teachers == ("before",)
    assert honest.changed(epochs=9).phases[-1].teachers == ("before", "some-release")
    of_ours = {name for each in derma.changed(split=Split.DERMAVISION).phases for name in each.teachers}
    assert of_ours <= {"before"}
