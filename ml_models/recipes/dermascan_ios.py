"""DermaScan for iOS: the head alone first, then the whole network."""

from dataclasses import replace

from ml_models.recipes.base import GEOMETRY_ONLY, Network, Optimizer, Phase, Recipe

RECIPE = Recipe(
    name="dermascan-ios",
    phases=(
        Phase(epochs=3, size=160, learning_rate=1e-3, trainable="head", cosine=False),
        Phase(epochs=5, size=160, learning_rate=1e-4),
    ),
    network=Network.DEEP_HEAD,
    optimizer=Optimizer.ADAM,
    weight_decay=0.0,
    clip_norm=None,
    dropout=0.4,
    balanced_weights=True,
    augmentation=replace(GEOMETRY_ONLY, min_area=0.7),
    alternates=False,
)
