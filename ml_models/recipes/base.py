"""What a training run is made of. A recipe is data alone; the shared parts that read it are in `training`."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from typing import Any

from ml_models.data import DataError
from ml_models.taxonomy import View, view_named


class Network(StrEnum):
    LITE = "efficientnet_lite0"
    MOBILENET = "mobilenetv2"
    TRANSFORMER = "mobilenetv2_spatial_transformer"
    DEEP_HEAD = "mobilenetv2_512_256"
    FIVE_BLOCKS = "five_blocks"

    @property
    def is_linear(self) -> bool:
        """Whether one linear layer follows global pooling, which makes a class-activation map exact."""
        return self in {Network.LITE, Network.MOBILENET}


class Optimizer(StrEnum):
    ADAM = "adam"
    ADAMW = "adamw"


class Split(StrEnum):
    """`honest` is grouped by lesion. `dermavision` leaks lesions: for comparison alone, never released."""

    HONEST = "honest"
    DERMAVISION = "dermavision"


BEFORE = "before"


@dataclass(frozen=True)
class Phase:
    """Epochs at one input side. The learning rate decays by a cosine after a linear warm-up, or is constant.

    `trainable` names what trains: "all", "head" (all but the body), "last 50" (that many layers of the body)
    or "after block_2" (layers behind that block); the head always does. `teachers` see the same random views
    and the share `distillation_weight` of the target is the mean of what they answer: "before" is the phase
    before as it was kept, any other name is a release. Where images are mixed, the answers are mixed as well,
    or, with `teach_mixed`, given for the mixed images. `mixup_alpha`, if given, is instead of the recipe's.
    """

    epochs: int
    size: int
    learning_rate: float
    trainable: str = "all"
    warm_up_epochs: float = 0.0
    cosine: bool = True
    teachers: tuple[str, ...] = ()
    distillation_weight: float = 0.5
    teach_mixed: bool = False
    mixup_alpha: float | None = None


@dataclass(frozen=True)
class Augmentation:
    """Ranges that random views are drawn from."""

    min_area: float = 0.5  # crops keep at least this share of the picture's area
    stretch: float = 0.12  # largest logarithm of the ratio of the sides
    tilt: float = 15.0  # degrees, either way
    quarter_turns: bool = True
    flips: bool = True
    shift: float = 0.0  # share of the side, either way, in addition to the crop's place
    shear: float = 0.0  # largest tangent
    brightness: float = 0.15
    white_balance: float = 0.05
    contrast: float = 0.2
    saturation: float = 0.2
    soft_share: float = 0.3  # images that lose resolution
    jpeg_share: float = 0.4  # images that pass through a JPEG of quality 35-95


GEOMETRY_ONLY = Augmentation(
    brightness=0.0, white_balance=0.0, contrast=0.0, saturation=0.0, soft_share=0.0, jpeg_share=0.0
)


@dataclass(frozen=True)
class Recipe:
    """All that decides about a run; stored with it, and a run resumes only under the same recipe."""

    name: str
    phases: tuple[Phase, ...]
    view: str = "8"  # the classes that the network tells apart, a view of the taxonomy
    network: Network = Network.MOBILENET
    batch: int = 32
    seed: int = 2026
    optimizer: Optimizer = Optimizer.ADAMW
    weight_decay: float = 0.01
    clip_norm: float | None = 1.0  # largest norm of all gradients together
    dropout: float = 0.25
    label_smoothing: float = 0.0
    focal_gamma: float = 0.0  # 0 is plain cross-entropy
    class_weights: Mapping[str, float] = field(default_factory=dict)  # given by hand; 1.0 where not named
    balanced_weights: bool = False  # weights n / (k * count) in the loss
    sampling_power: float = 1.0  # class shares of an epoch follow count ** power: 1 as they are, 0 all equal
    mixup_alpha: float = 0.0  # of mixup and CutMix, one of the two for each batch; 0 is neither
    ema_decay: float | None = None  # moving average of the weights: what is then validated and kept
    augmentation: Augmentation = Augmentation()
    alternates: bool = True  # where a sharper copy of a picture exists, each use draws one of the two
    isic2017: bool = False  # adds the training images of ISIC 2017
    preprocessing: str | None = None
    views: int = 1  # flips and quarter turns that a measured prediction averages over: 1 or 8
    fit_adjustment: bool = False  # shifts the biases: prior by `val`, then rare classes weighed
    patience: int | None = None  # stops after so many epochs in which `val` has not improved
    split: Split = Split.HONEST
    limit: int | None = None  # at most so many images of each split, for trying things out

    def __post_init__(self) -> None:
        """Raises DataError for what the shared parts could not carry out."""
        view_named(self.view)
        if self.views not in {1, 8}:
            raise DataError(f"The recipe {self.name} looks from {self.views} sides; it can be 1 or 8.")
        if self.patience is not None and len(self.phases) > 1:
            raise DataError(f"The recipe {self.name} has several phases, none of which may be left out.")
        if any(phase.warm_up_epochs and not phase.cosine for phase in self.phases):
            raise DataError(f"The recipe {self.name} warms up to a constant rate, which is not supported.")

    @property
    def size(self) -> int:
        """Side of the network's input when it serves, in pixels."""
        return self.phases[-1].size

    @property
    def epochs(self) -> int:
        return sum(phase.epochs for phase in self.phases)

    def epochs_before(self, index: int) -> int:
        """How many epochs come before the phase of that index."""
        return sum(phase.epochs for phase in self.phases[:index])

    @property
    def taxonomy(self) -> View:
        return view_named(self.view)

    @property
    def classes(self) -> tuple[str, ...]:
        return self.taxonomy.classes

    def phase_of(self, epoch: int) -> int:
        """Index of the phase that the epoch (from 1) belongs to."""
        last = 0
        for index, phase in enumerate(self.phases):
            last += phase.epochs
            if epoch <= last:
                return index
        return len(self.phases) - 1

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> "Recipe":
        """Raises DataError for a recipe of another version of this program."""
        values = dict(content)
        try:
            values["phases"] = tuple(
                Phase(**{**phase, "teachers": tuple(phase["teachers"])}) for phase in values["phases"]
            )
            values["augmentation"] = Augmentation(**values["augmentation"])
            values["network"], values["optimizer"] = (
                Network(values["network"]),
                Optimizer(values["optimizer"]),
            )
            values["split"] = Split(values["split"])
            return cls(**values)
        except (KeyError, TypeError, ValueError) as error:
            raise DataError("The recipe.json of the run is of another version of this program.") from error

    def changed(
        self,
        *,
        epochs: int | None = None,
        size: int | None = None,
        seed: int | None = None,
        limit: int | None = None,
        split: Split | None = None,
    ) -> "Recipe":
        """A copy with what is not None put in its place; `epochs` are shared out over the phases."""
        phases = self.phases
        if epochs is not None:
            if epochs < len(phases):
                raise DataError(f"The recipe {self.name} has {len(phases)} phases and needs as many epochs.")
            done, counts = 0, []
            for index, phase in enumerate(phases):
                left = len(phases) - 1 - index
                share = round(epochs * phase.epochs / self.epochs) if left else epochs - done
                counts.append(min(max(1, share), epochs - done - left))
                done += counts[-1]
            phases = tuple(replace(p, epochs=n) for p, n in zip(phases, counts, strict=True))
        if size is not None:
            phases = tuple(replace(phase, size=size) for phase in phases)
        if split is Split.DERMAVISION:
            # A release has learnt from images that are on this split's other side.
            phases = tuple(
                replace(phase, teachers=tuple(name for name in phase.teachers if name == BEFORE))
                for phase in phases
            )
        return replace(
            self,
            phases=phases,
            seed=self.seed if seed is None else seed,
            limit=self.limit if limit is None else limit,
            split=self.split if split is None else split,
        )
