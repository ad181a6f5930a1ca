"""Recipes by name: five after published systems, and ours."""

from collections.abc import Mapping
from types import MappingProxyType

from ml_models.recipes import derma, dermai, dermascan, dermascan_ios, dermavision, dermavisionapp
from ml_models.recipes.base import Augmentation, Network, Optimizer, Phase, Recipe, Split

__all__ = ["RECIPES", "Augmentation", "Network", "Optimizer", "Phase", "Recipe", "Split", "command"]

RECIPES: Mapping[str, Recipe] = MappingProxyType(
    {
        module.RECIPE.name: module.RECIPE
        for module in (dermavision, dermavisionapp, dermai, dermascan, dermascan_ios, derma)
    }
)


def command(name: str, recipe: Recipe) -> str:
    """The command that repeats the run `name` of a recipe, with DERMA_DATA set."""
    known = RECIPES.get(recipe.name, recipe)
    parts = [f"python -m ml_models train --recipe {recipe.name} --name {name}"]
    if recipe.epochs != known.epochs:
        parts.append(f"--epochs {recipe.epochs}")
    if tuple(phase.size for phase in recipe.phases) != tuple(phase.size for phase in known.phases):
        parts.append(f"--size {recipe.size}")
    parts.append(f"--seed {recipe.seed}")
    if recipe.limit is not None:
        parts.append(f"--limit {recipe.limit}")
    if recipe.split is not Split.HONEST:
        parts.append(f"--split {recipe.split}")
    return " ".join(parts)
