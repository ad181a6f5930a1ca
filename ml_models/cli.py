"""The command line. TensorFlow is imported only by the command that needs it."""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from ml_models import cli_release, cli_training
from ml_models.cli_common import Commands, add_release, tensorflow_noise_kept_back
from ml_models.data import DataError
from ml_models.release import ReleaseError, default_release, release_path
from ml_models.runtime import Engine
from ml_models.taxonomy import ImageType, Reason, Urgency


def main(arguments: list[str] | None = None) -> int:
    """Exit code 0, 2 with one sentence on stderr, or 130 where it was interrupted."""
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
    cli_training.add_commands(commands)
    cli_release.add_commands(commands)
    _add_evaluate(commands)
    _add_predict(commands)
    return parser


def _add_evaluate(commands: Commands) -> None:
    evaluate = commands.add_parser("evaluate", help="measure a release on labelled images")
    add_release(evaluate)
    evaluate.add_argument("--images", type=Path, required=True, metavar="DIR")
    evaluate.add_argument("--labels", type=Path, required=True, metavar="CSV")
    evaluate.add_argument(
        "--where", action="append", default=[], metavar="COLUMN=VALUE", help="only such rows; may be repeated"
    )
    evaluate.add_argument("--out", type=Path, required=True, metavar="REPORT", help="the report, a JSON file")
    evaluate.add_argument("--plots", type=Path, metavar="DIR", help="also draws four figures, SVG files")
    evaluate.add_argument(
        "--subgroups", action="store_true", help="also by sex, age group and site, where the CSV has them"
    )
    evaluate.add_argument(
        "--metadata", action="store_true", help="lets age, sex and localization of the CSV add to the answer"
    )
    evaluate.set_defaults(run=_evaluate)


def _add_predict(commands: Commands) -> None:
    predict = commands.add_parser("predict", help="classify images; one JSON object a line")
    add_release(predict)
    predict.add_argument(
        "--image-type", type=ImageType, choices=list(ImageType), default=ImageType.DERMATOSCOPIC
    )
    predict.add_argument("images", type=Path, nargs="+", metavar="IMAGE")
    predict.set_defaults(run=_predict)


def _evaluate(args: argparse.Namespace) -> int:
    from ml_models import evaluation, figures
    from ml_models.labels import read_labels

    labels = read_labels(args.labels, args.where)
    evaluation.index_images(args.images)  # a wrong folder is told before TensorFlow's slow start
    engine = _engine(args)
    adjustment = evaluation.metadata_of(engine.card, labels) if args.metadata else None
    engine.warm_up()
    results = evaluation.run(engine, args.images, labels)
    known = None
    if adjustment is not None:
        results, known = evaluation.with_metadata(adjustment, labels, results)
    content = evaluation.report(engine, labels, results, subgroups=args.subgroups)
    # How many images had each answer, where they were let count.
    content["metadata"] = known
    evaluation.write_report(content, args.out)
    if args.plots is not None:
        figures.write(figures.draw(labels, results, content), args.plots)
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
    with tensorflow_noise_kept_back():
        return Engine.load(args.release or release_path(default_release()))
