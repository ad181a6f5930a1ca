"""DermaScan: three classes, a focal loss and much regularisation.

Theirs is an EfficientNetV2-M, whose weights cannot be had; EfficientNet-Lite0 stands in for it.
"""

from dataclasses import replace

from ml_models.recipes.base import GEOMETRY_ONLY, Network, Phase, Recipe

RECIPE = Recipe(
    name="dermascan",
    phases=(Phase(epochs=12, size=128, learning_rate=5e-4, warm_up_epochs=5.0),),
    view="3",
    network=Network.LITE,
    weight_decay=0.01,
    dropout=0.3,
    focal_gamma=2.0,
    class_weights={"mel": 1.5, "bcc": 1.5, "benign": 1.0},
    label_smoothing=0.1,
    sampling_power=0.0,
    mixup_alpha=0.2,
    ema_decay=0.9995,
    augmentation=replace(GEOMETRY_ONLY, min_area=0.7),
    alternates=False,
    preprocessing="dermascan",
    views=8,
)
