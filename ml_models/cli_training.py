"""The subcommands around training: train, watch, keep, metadata, compare."""

import argparse
import os
from pathlib import Path

from ml_models.cli_common import Commands, add_data, positive, shown, tensorflow_noise_kept_back
from ml_models.data import DataError, data_root
from ml_models.recipes import RECIPES, Split
from ml_models.release import RELEASES

RUNS = Path("var") / "training"


def add_commands(commands: Commands) -> None:
    _add_train(commands)
    watch = commands.add_parser("watch", help="show a run's history while it is written")
    _add_run(watch)
    watch.add_argument("--once", action="store_true", help="show what there is, and end")
    watch.set_defaults(run=_watch)
    keep = commands.add_parser("keep", help="copy what is committed of a finished run to ml_models/runs")
    _add_run(keep)
    keep.set_defaults(run=_keep)
    metadata = commands.add_parser(
        "metadata", help="fit what age, sex and site add to a finished run; figures on val, with and without"
    )
    _add_run(metadata)
    add_data(metadata)
    metadata.set_defaults(run=_metadata)
    compare = commands.add_parser(
        "compare", help="measure finished runs in one way, as Markdown tables; without runs: what was kept"
    )
    compare.add_argument("folders", type=Path, nargs="*", metavar="RUN-DIR")
    compare.add_argument(
        "--keep",
        action="store_true",
        help="keep the runs' figures beside recipe, history and curves, and show all that was kept with them",
    )
    add_data(compare)
    compare.add_argument("--out", type=Path, metavar="JSON", help="all figures, as a JSON file")
    compare.add_argument("--threads", type=positive, default=os.cpu_count() or 1, help="(%(default)s)")
    compare.set_defaults(run=_compare)


def _add_run(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--name", default="derma", help="the run's name (%(default)s)")
    parser.add_argument("--run-dir", type=Path, help="the run's folder, instead of var/training/NAME")


def _add_train(commands: Commands) -> None:
    train = commands.add_parser("train", help="train a recipe; the same command goes on with a stopped run")
    train.add_argument("--recipe", choices=list(RECIPES), default="derma", help="(%(default)s)")
    train.add_argument("--name", help="the run's name, a folder under var/training; default: the recipe's")
    train.add_argument("--run-dir", type=Path, help="the run's folder, instead of var/training/NAME")
    add_data(train)
    train.add_argument(
        "--weights", type=Path, help="ImageNet weights, instead of those beside the data or in a package"
    )
    train.add_argument("--size", type=positive, help="input side in pixels, in all phases")
    train.add_argument("--epochs", type=positive, help="shared out over the recipe's phases")
    train.add_argument("--seed", type=positive)
    train.add_argument(
        "--split",
        type=Split,
        choices=list(Split),
        default=Split.HONEST,
        help="dermavision leaks lesions from train to val: for comparison, never for a release (%(default)s)",
    )
    train.add_argument(
        "--limit", type=positive, help="at most so many images of each split, to try things out"
    )
    train.add_argument("--threads", type=positive, default=os.cpu_count() or 1, help="(%(default)s)")
    train.set_defaults(run=_train)


def _train(args: argparse.Namespace) -> int:
    recipe = RECIPES[args.recipe].changed(
        epochs=args.epochs, size=args.size, seed=args.seed, limit=args.limit, split=args.split
    )
    root = data_root(args.data)
    with tensorflow_noise_kept_back():
        from ml_models import training
        from ml_models.network import imagenet

    name = args.name or args.recipe
    folder = args.run_dir or RUNS / name
    weights = None if training.Run(folder).begun else args.weights or imagenet.find(recipe.network, root)
    training.train(recipe, root=root, weights=weights, folder=folder, threads=args.threads)
    if recipe.name == "derma" and recipe.split is Split.HONEST:
        print(f"Next: python -m ml_models export --run-dir {folder} --out {shown(RELEASES / name)}")
    return 0


def _watch(args: argparse.Namespace) -> int:
    from ml_models.watching import watch

    watch(args.run_dir or RUNS / args.name, once=args.once)
    return 0


def _keep(args: argparse.Namespace) -> int:
    with tensorflow_noise_kept_back():
        from ml_models.training import run

    print(shown(run.keep(args.run_dir or RUNS / args.name)))
    return 0


def _metadata(args: argparse.Namespace) -> int:
    root = data_root(args.data)
    with tensorflow_noise_kept_back():
        from ml_models.training.answers import fit_answers

    found = fit_answers(args.run_dir or RUNS / args.name, root=root)
    for name, row in found["val"].items():
        print(f"{name:>8} " + "  ".join(f"{key} {value:.4f}" for key, value in row.items()))
    return 0


def _compare(args: argparse.Namespace) -> int:
    if args.keep and not args.folders:
        raise DataError("There is no run to keep the figures of; name the run folders.")
    root = data_root(args.data) if args.folders else None
    with tensorflow_noise_kept_back():
        from ml_models import comparison
        from ml_models.evaluation import write_report

    if root is None:
        measured = comparison.read_kept()
    else:
        measured = [comparison.measure(folder, root=root, threads=args.threads) for folder in args.folders]
    if args.keep:
        comparison.keep(args.folders, measured)
        measured = comparison.read_kept()
    print(comparison.table(measured))
    if args.out:
        write_report(measured, args.out)
    return 0
