"""DermAI: a small network of five blocks, from nothing."""

from dataclasses import replace

from ml_models.recipes.base import GEOMETRY_ONLY, Network, Optimizer, Phase, Recipe

RECIPE = Recipe(
    name="dermai",
    phases=(Phase(epochs=20, size=224, learning_rate=1e-3, cosine=False),),
    view="7",
    network=Network.FIVE_BLOCKS,
    optimizer=Optimizer.ADAM,
    weight_decay=0.0,
    clip_norm=None,
    dropout=0.0,
    sampling_power=0.0,
    augmentation=replace(GEOMETRY_ONLY, min_area=0.8, tilt=0.0),
    alternates=False,
)
