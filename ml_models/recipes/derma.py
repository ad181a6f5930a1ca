"""Ours, the one that is released."""

from ml_models.recipes.base import Augmentation, Phase, Recipe

RECIPE = Recipe(
    name="derma",
    phases=(
        Phase(epochs=30, size=160, rate=1e-3, warm_up_epochs=1.0),
        Phase(epochs=14, size=224, rate=6e-4, warm_up_epochs=0.5, teachers=("derma-3",), mix=0.0),
    ),
    weight_decay=0.05,
    label_smoothing=0.05,
    sampling_power=0.5,
    mix=0.3,
    average=0.998,
    augmentation=Augmentation(min_area=0.4, white_balance=0.08, contrast=0.25, saturation=0.25),
    isic2017=True,
    views=8,
    fit_adjustment=True,
)
