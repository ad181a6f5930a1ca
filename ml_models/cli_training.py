"""The subcommand that trains."""

import argparse
import os
from pathlib import Path

from ml_models.cli_common import Commands, add_data, positive, shown, tensorflow_noise_kept_back
from ml_models.data import data_root
from ml_models.release import RELEASES

WEIGHTS_FILE = "mobilenetv2_1.0_imagenet_notop.weights.h5"
RUNS = Path("var") / "training"


def add_commands(commands: Commands) -> None:
    train = commands.add_parser(
        "train", help="train on HAM10000; the same command goes on with a stopped run"
    )
    train.add_argument("--name", default="derma", help="the run's name, a folder under var/training")
    train.add_argument("--run-dir", type=Path, help="the run's folder, instead of var/training/NAME")
    add_data(train)
    train.add_argument(
        "--weights", type=Path, help=f"ImageNet weights, instead of DERMA_DATA/../weights/{WEIGHTS_FILE}"
    )
    train.add_argument("--size", type=positive, default=160, help="input side in pixels (%(default)s)")
    train.add_argument("--epochs", type=positive, default=16, help="(%(default)s)")
    train.add_argument("--batch", type=positive, default=32, help="(%(default)s)")
    train.add_argument("--rate", type=float, default=8e-4, help="highest learning rate (%(default)s)")
    train.add_argument("--seed", type=int, default=2026, help="(%(default)s)")
    train.add_argument(
        "--limit", type=positive, help="at most so many images of each split, to try things out"
    )
    train.add_argument("--threads", type=positive, default=os.cpu_count() or 1, help="(%(default)s)")
    train.set_defaults(run=_train)


def _train(args: argparse.Namespace) -> int:
    root = data_root(args.data)
    with tensorflow_noise_kept_back():
        from ml_models import training

    recipe = training.Recipe(
        size=args.size,
        epochs=args.epochs,
        batch=args.batch,
        rate=args.rate,
        seed=args.seed,
        limit=args.limit,
    )
    weights = args.weights or root.parent / "weights" / WEIGHTS_FILE
    folder = args.run_dir or RUNS / args.name
    training.train(recipe, root=root, weights=weights, folder=folder, threads=args.threads)
    print(f"Next: python -m ml_models export --run-dir {folder} --out {shown(RELEASES / args.name)}")
    return 0
