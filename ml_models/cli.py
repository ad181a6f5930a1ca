"""The command line. TensorFlow is imported only by the command that needs it."""

import argparse
import contextlib
import json
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ml_models.data import DataError, data_root
from ml_models.release import RELEASES, ReleaseError, default_release, release_path
from ml_models.runtime import Engine
from ml_models.taxonomy import ImageType, Reason, Urgency

WEIGHTS_FILE = "mobilenetv2_1.0_imagenet_notop.weights.h5"
RUNS = Path("var") / "training"
Commands = Any  # argparse keeps the type of its sub-parsers private


def main(arguments: list[str] | None = None) -> int:
    """Exit code 0, or 2 with one sentence on stderr."""
    args = _parser().parse_args(arguments)
    try:
        code: int = args.run(args)
    except (DataError, ReleaseError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("Stopped.", file=sys.stderr)
        return 130
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m ml_models", description="The skin lesion classifier.")
    commands = parser.add_subparsers(dest="command", required=True)
    _add_train(commands)
    _add_export(commands)
    _add_evaluate(commands)
    _add_predict(commands)
    return parser


def _add_train(commands: Commands) -> None:
    train = commands.add_parser(
        "train", help="train on HAM10000; the same command goes on with a stopped run"
    )
    train.add_argument("--name", default="derma", help="the run's name, a folder under var/training")
    train.add_argument("--run-dir", type=Path, help="the run's folder, instead of var/training/NAME")
    _add_data(train)
    train.add_argument(
        "--weights", type=Path, help=f"ImageNet weights, instead of DERMA_DATA/../weights/{WEIGHTS_FILE}"
    )
    train.add_argument("--size", type=_positive, default=160, help="input side in pixels (%(default)s)")
    train.add_argument("--epochs", type=_positive, default=16, help="(%(default)s)")
    train.add_argument("--batch", type=_positive, default=32, help="(%(default)s)")
    train.add_argument("--rate", type=float, default=8e-4, help="highest learning rate (%(default)s)")
    train.add_argument("--seed", type=int, default=2026, help="(%(default)s)")
    train.add_argument(
        "--limit", type=_positive, help="at most so many images of each split, to try things out"
    )
    train.add_argument("--threads", type=_positive, default=os.cpu_count() or 1, help="(%(default)s)")
    train.set_defaults(run=_train)


def _add_export(commands: Commands) -> None:
    export = commands.add_parser("export", help="make a release of a finished run")
    export.add_argument("--run-dir", type=Path, required=True, help="the run's folder")
    export.add_argument(
        "--out", type=Path, required=True, help=f"the release's folder, as {RELEASES.name}/NAME"
    )
    _add_data(export)
    export.set_defaults(run=_export)


def _add_evaluate(commands: Commands) -> None:
    evaluate = commands.add_parser("evaluate", help="measure a release on labelled images")
    _add_release(evaluate)
    evaluate.add_argument("--images", type=Path, required=True, metavar="DIR")
    evaluate.add_argument("--labels", type=Path, required=True, metavar="CSV")
    evaluate.add_argument(
        "--where", action="append", default=[], metavar="COLUMN=VALUE", help="only such rows; may be repeated"
    )
    evaluate.add_argument("--out", type=Path, required=True, metavar="REPORT", help="the report, a JSON file")
    evaluate.set_defaults(run=_evaluate)


def _add_predict(commands: Commands) -> None:
    predict = commands.add_parser("predict", help="classify images; one JSON object a line")
    _add_release(predict)
    predict.add_argument(
        "--image-type", type=ImageType, choices=list(ImageType), default=ImageType.DERMATOSCOPIC
    )
    predict.add_argument("images", type=Path, nargs="+", metavar="IMAGE")
    predict.set_defaults(run=_predict)


def _add_data(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data", type=Path, help="the data folder, instead of DERMA_DATA")


def _add_release(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--release", type=Path, metavar="DIR", help="the release's folder; default: releases/DEFAULT"
    )


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError(text)
    return number


def _train(args: argparse.Namespace) -> int:
    root = data_root(args.data)
    with _tensorflow_noise_kept_back():
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
    print(f"Next: python -m ml_models export --run-dir {folder} --out {_shown(RELEASES / args.name)}")
    return 0


def _export(args: argparse.Namespace) -> int:
    root = data_root(args.data)
    with _tensorflow_noise_kept_back():
        from ml_models.export import export

    out = export(args.run_dir, args.out, root=root)
    size = sum(file.stat().st_size for file in out.rglob("*") if file.is_file())
    print(f"{_shown(out)}: {size / 1e6:.1f} MB")
    return 0


def _evaluate(args: argparse.Namespace) -> int:
    from ml_models import evaluation
    from ml_models.labels import read_labels

    labels = read_labels(args.labels, args.where)
    evaluation.index_images(args.images)  # a wrong folder is told before TensorFlow's slow start
    content = evaluation.report(engine := _engine(args), labels, evaluation.run(engine, args.images, labels))
    evaluation.write_report(content, args.out)
    print(evaluation.table(content))
    return 0


def _predict(args: argparse.Namespace) -> int:
    from ml_models.imaging import ImageError, canonicalise

    engine = _engine(args)
    for path in args.images:
        try:
            image = canonicalise(path.read_bytes())
        except (ImageError, OSError) as error:
            print(f"{path}: {error}", file=sys.stderr)
            line: dict[str, Any] = {
                "image": str(path),
                "top": None,
                "probabilities": None,
                "urgency": Urgency.CANNOT_ASSESS,
                "reasons": [Reason.UNREADABLE],
                "release": engine.name,
            }
        else:
            result = engine.assess([image], [args.image_type])[0]
            line = {
                "image": str(path),
                "top": result.top,
                "probabilities": {code: round(p, 6) for code, p in result.probabilities.items()},
                "urgency": result.urgency,
                "reasons": list(result.reasons),
                "release": result.release,
            }
        print(json.dumps(line, allow_nan=False), flush=True)
    return 0


def _engine(args: argparse.Namespace) -> Engine:
    with _tensorflow_noise_kept_back():
        return Engine.load(args.release or release_path(default_release()))


def _shown(path: Path) -> Path:
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


@contextlib.contextmanager
def _tensorflow_noise_kept_back() -> Iterator[None]:
    """Holds file descriptor 2 while TensorFlow starts: it greets there before any setting silences it.

    What was held is shown after all if the start fails.
    """
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        failed = True
        try:
            yield
            failed = False
        except ReleaseError:
            failed = False
            raise
        finally:
            os.dup2(kept, 2)
            os.close(kept)
            if failed:
                held.seek(0)
                sys.stderr.write(held.read().decode(errors="replace"))
