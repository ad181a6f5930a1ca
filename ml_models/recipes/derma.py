"""Ours, the one that is released."""

from ml_models.recipes.base import Augmentation, Phase, Recipe

RECIPE = Recipe(
    name="derma",
    phases=(
        Phase(epochs=16, size=160, rate=1e-3, free="after block_2", warm_up_epochs=1.0),
        Phase(
            epochs=5,
            size=192,
            rate=4e-4,
            free="after block_2",
            warm_up_epochs=0.2,
            teachers=("before", "derma-1"),
        ),
    ),
    label_smoothing=0.05,
    sampling_power=0.5,
    average=0.998,
    augmentation=Augmentation(min_area=0.4, white_balance=0.08, contrast=0.25, saturation=0.25),
    isic2017=True,
    fit_adjustment=True,
)
