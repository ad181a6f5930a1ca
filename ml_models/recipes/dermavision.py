"""DermaVision: a Spatial Transformer between MobileNetV2 and its head.

Theirs has a MobileNetV2 of width 0.75; ImageNet weights can be had for width 1.0 only, so ours is that.
"""

from dataclasses import replace

from ml_models.recipes.base import GEOMETRY_ONLY, Network, Optimizer, Phase, Recipe

RECIPE = Recipe(
    name="dermavision",
    phases=(Phase(epochs=8, size=160, learning_rate=1e-3, trainable="last 50"),),
    view="7",
    network=Network.TRANSFORMER,
    optimizer=Optimizer.ADAM,
    weight_decay=0.0,
    clip_norm=None,
    dropout=0.4,
    balanced_weights=True,
    augmentation=replace(GEOMETRY_ONLY, min_area=0.64, tilt=20.0, quarter_turns=False, shift=0.2, shear=0.2),
    alternates=False,
    patience=3,
)
