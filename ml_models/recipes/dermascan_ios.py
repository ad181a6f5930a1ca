"""DermaScan for iOS: the head alone first, then the whole network."""

from dataclasses import replace

from ml_models.recipes.base import GEOMETRY_ONLY, Network, Phase, Recipe

RECIPE = Recipe(
    name="dermascan-ios",
    phases=(
        Phase(epochs=3, size=160, rate=1e-3, free="head", cosine=False),
        Phase(epochs=5, size=160, rate=1e-4),
    ),
    network=Network.DEEP_HEAD,
    optimiser="adam",
    weight_decay=0.0,
    clip=None,
    dropout=0.4,
    balanced_weights=True,
    augmentation=replace(GEOMETRY_ONLY, min_area=0.7),
    alternates=False,
)
