"""DermaVisionApp: MobileNetV2 on four classes, drawn equally often."""

from dataclasses import replace

from ml_models.recipes.base import GEOMETRY_ONLY, Optimizer, Phase, Recipe

RECIPE = Recipe(
    name="dermavisionapp",
    phases=(Phase(epochs=8, size=160, learning_rate=1e-4),),
    view="4",
    optimizer=Optimizer.ADAM,
    weight_decay=0.0,
    clip_norm=None,
    dropout=0.2,
    sampling_power=0.0,
    augmentation=replace(GEOMETRY_ONLY, min_area=0.8, tilt=0.0),
    alternates=False,
    patience=3,
)
