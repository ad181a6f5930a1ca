"""The subcommands that make a release of a run, and that look for the limits of the quality gate."""

import argparse
from pathlib import Path

from ml_models.cli_common import (
    Commands,
    add_data,
    add_release,
    positive,
    shown,
    tensorflow_noise_kept_back,
)
from ml_models.data import data_root
from ml_models.description import describe
from ml_models.release import RELEASES, ReleaseError, default_release, read_card, release_path


def add_commands(commands: Commands) -> None:
    export = commands.add_parser("export", help="make a release of a finished run")
    export.add_argument("--run-dir", type=Path, required=True, help="the run's folder")
    export.add_argument(
        "--out", type=Path, required=True, help=f"the release's folder, as {RELEASES.name}/NAME"
    )
    export.add_argument(
        "--saved-model-only", action="store_true", help="without TFLite and TensorFlow.js, to try things out"
    )
    add_data(export)
    export.set_defaults(run=_export)
    degrade = commands.add_parser(
        "degrade", help="spoil real images and find the limits of the quality gate; changes nothing"
    )
    add_data(degrade)
    degrade.add_argument("--size", type=positive, default=224, help="input side in pixels (%(default)s)")
    degrade.add_argument("--split", choices=("train", "val"), default="val", help="(%(default)s)")
    degrade.set_defaults(run=_degrade)
    words = commands.add_parser("describe", help="a release's figures from its card, as Markdown")
    add_release(words)
    words.set_defaults(run=_describe)


def _export(args: argparse.Namespace) -> int:
    root = data_root(args.data)
    with tensorflow_noise_kept_back():
        from ml_models.export import export

    out = export(args.run_dir, args.out, root=root, other_formats=not args.saved_model_only)
    size = sum(file.stat().st_size for file in out.rglob("*") if file.is_file())
    print(f"{shown(out)}: {size / 1e6:.1f} MB")
    return 0


def _degrade(args: argparse.Namespace) -> int:
    from ml_models import spoiling

    root = data_root(args.data)
    measured = spoiling.measure_all(spoiling.paths_of(root, args.split), args.size)
    limits = spoiling.fit(measured)
    print(spoiling.table(limits, spoiling.figures(measured, limits)))
    return 0


def _describe(args: argparse.Namespace) -> int:
    card = read_card(args.release or release_path(default_release()))
    try:
        page = describe(card.raw)
    except KeyError as error:
        raise ReleaseError(f"The card of the release {card.name} has no {error.args[0]}.") from error
    print(page, end="")
    return 0
