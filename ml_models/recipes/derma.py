"""Ours, the one that is released."""

from ml_models.recipes.base import BEFORE, Augmentation, Network, Phase, Recipe

TEACHERS = ("derma-4", BEFORE)

RECIPE = Recipe(
    name="derma",
    phases=(
        Phase(epochs=10, size=160, learning_rate=1e-3, warm_up_epochs=1.0, teachers=("derma-4",)),
        Phase(
            epochs=12, size=224, learning_rate=6e-4, warm_up_epochs=0.5, teachers=TEACHERS, mixup_alpha=0.0
        ),
        Phase(
            epochs=7,
            size=224,
            learning_rate=4e-4,
            warm_up_epochs=0.5,
            teachers=TEACHERS,
            distillation_weight=0.75,
            teach_mixed=True,
        ),
    ),
    network=Network.LITE,
    weight_decay=0.05,
    label_smoothing=0.05,
    sampling_power=0.5,
    mixup_alpha=0.3,
    ema_decay=0.998,
    augmentation=Augmentation(min_area=0.4, white_balance=0.08, contrast=0.25, saturation=0.25),
    isic2017=True,
    views=8,
    fit_adjustment=True,
)
