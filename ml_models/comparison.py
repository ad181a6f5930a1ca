"""Finished runs of any recipe measured in one way: same images, same views, same figures."""

import math
import statistics
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml_models import bootstrap, data, metrics, network
from ml_models.backend import set_threads
from ml_models.recipes import RECIPES, Recipe, Split, command
from ml_models.taxonomy import VIEWS
from ml_models.training import Run, RunError
from ml_models.training.preprocessing import PREPARE
from ml_models.training.run import FIGURES, KEPT
from ml_models.training.run import keep as keep_run

# The sides that nothing was fitted on.
_MEASURED = {Split.HONEST: ("test", "split"), Split.DERMAVISION: ("val", "dermavision_split")}
_SPLITS = {
    Split.HONEST: "On lesions that no run has seen: `test` of the split by lesion.",
    Split.DERMAVISION: "On the other side of DermaVision's split, which leaks lesions; never released.",
}
_TIMED = 30


def measure(folder: Path, *, root: Path, threads: int = 2) -> dict[str, Any]:
    """Figures of the run in `folder` on `test`, or on the `val` side of the split that it was trained on."""
    set_threads(threads)
    run = Run(folder)
    if not run.finished:
        raise RunError(f"The run in {folder} is not finished.")
    recipe, result = run.recipe(), run.read_json("result.json")
    side, column = _MEASURED[recipe.split]
    known = [
        r for r in data.read_records(root, side, column=column) if recipe.taxonomy.of[r.code] is not None
    ]
    prepare = PREPARE[recipe.preprocessing] if recipe.preprocessing else None
    images = data.load_cache(
        known, recipe.size, alternates=False, view=recipe.taxonomy, prepare=prepare
    ).images
    model = network.restore(recipe, run.read_arrays("final.npz"))
    logits = network.logits(network.predictor(model, recipe.views), images, recipe.views)
    parameters = int(model.count_params())
    return {
        "recipe": recipe.name,
        "command": command(folder.name, recipe),
        "split": str(recipe.split),
        "epoch": result["epoch"],
        "epochs": len(run.history()),
        "size_px": recipe.size,
        "views": recipe.views,
        "parameters": parameters,
        "megabytes": round(parameters * 4 / 1e6, 2),
        "ms_per_image": milliseconds(recipe),
        "by_view": figures(recipe, metrics.softmax(logits / result["temperature"]), known),
    }


def figures(
    recipe: Recipe, probabilities: NDArray[np.float64], records: Sequence[data.Record]
) -> dict[str, Any]:
    """The figures of each view that a recipe's classes can be summed into."""
    lesions = np.array([record.lesion_id for record in records], dtype=object)
    result: dict[str, Any] = {}
    for view in VIEWS:
        if not recipe.taxonomy.sums_into(view):
            continue
        places = [view.of[record.code] for record in records]
        kept = np.array([i for i, place in enumerate(places) if place is not None], dtype=np.int64)
        labels = np.array([view.classes.index(str(places[i])) for i in kept], dtype=np.int64)
        shares = metrics.summed(probabilities[kept], recipe.taxonomy, view)
        summary = metrics.summarise(metrics.Scored(view.classes, shares, labels), top3=False)
        row: dict[str, Any] = {
            name: summary[name] for name in ("n", "accuracy", "balanced_accuracy", "macro_auc")
        }
        row["ece"] = metrics.expected_calibration_error(shares, labels)
        row["recall"] = {name: each["recall"] for name, each in summary["per_class"].items()}
        if "mel" in view.classes:
            melanomas = labels == view.classes.index("mel")
            found = shares.argmax(axis=1)[melanomas] == view.classes.index("mel")
            groups = bootstrap.number(list(lesions[kept][melanomas]))
            row["melanoma_sensitivity"] = float(found.mean()) if len(found) else None
            row["melanoma_interval"] = bootstrap.interval(
                [float((found * w).sum() / w.sum()) for w in bootstrap.weights(groups) if w.sum()]
            )
        result[view.name] = row
    return result


def milliseconds(recipe: Recipe) -> float:
    """Median time of one image alone, without reading it. What the weights are does not matter to it."""
    forward = network.predictor(network.build(recipe.network, len(recipe.classes), recipe.size), recipe.views)
    image = np.random.default_rng(0).integers(0, 256, (1, recipe.size, recipe.size, 3), dtype=np.uint8)
    times = []
    for _ in range(_TIMED):
        began = time.perf_counter()
        forward(image).numpy()
        times.append(time.perf_counter() - began)
    return round(1000 * statistics.median(times[5:]), 2)


def keep(folders: Sequence[Path], measured: Sequence[dict[str, Any]], kept: Path = KEPT) -> None:
    """Keeps recipe, history, curves and figures of measured runs, one run of each recipe and split.

    All that was kept is then timed anew, so that the times come from one machine and one day.
    """
    for folder, content in zip(folders, measured, strict=True):
        Run(keep_run(folder, kept)).write_json(FIGURES, content)
    for path in sorted(kept.glob(f"*/{FIGURES}")):
        run = Run(path.parent)
        recipe = run.recipe()
        found = {"ms_per_image": milliseconds(recipe), "command": command(run.folder.name, recipe)}
        run.write_json(FIGURES, run.read_json(FIGURES) | found)


def read_kept(kept: Path = KEPT) -> list[dict[str, Any]]:
    """The figures that were kept, in the order of the recipes."""
    found = [Run(path.parent).read_json(FIGURES) for path in kept.glob(f"*/{FIGURES}")]
    if not found:
        raise RunError(f"No figures of a run are kept in {kept}.")
    return sorted(found, key=lambda each: list(RECIPES).index(each["recipe"]))


def table(measured: Sequence[dict[str, Any]]) -> str:
    """Markdown: for each split one table for each number of classes, and the commands."""
    blocks = []
    for split, title in _SPLITS.items():
        rows = [each for each in measured if each["split"] == split]
        blocks += [title, *_tables(rows), _commands(rows)] if rows else []
    return "\n\n".join(blocks)


def _tables(measured: Sequence[dict[str, Any]]) -> list[str]:
    blocks = []
    for view in ("7", "4", "3"):
        rows = [each for each in measured if view in each["by_view"]]
        if not rows:
            continue
        lines = [
            f"| {view} classes | accuracy | balanced | melanoma sensitivity (95 %) | macro AUC | ECE "
            "| parameters | MB | ms an image |",
            "|---" * 9 + "|",
        ]
        for each in rows:
            row = each["by_view"][view]
            low, high = row["melanoma_interval"] or (math.nan, math.nan)
            lines.append(
                f"| `{each['recipe']}` | {row['accuracy']:.3f} | {row['balanced_accuracy']:.3f} "
                f"| {row['melanoma_sensitivity']:.3f} ({low:.3f}-{high:.3f}) | {row['macro_auc']:.3f} "
                f"| {row['ece']:.3f} | {each['parameters']:,} | {each['megabytes']:.1f} "
                f"| {each['ms_per_image']:.1f} |"
            )
        blocks.append("\n".join(lines))
    return blocks


def _commands(rows: Sequence[dict[str, Any]]) -> str:
    lines = ["| run | epoch kept | side, px | views | command (with `DERMA_DATA` set) |", "|---" * 5 + "|"]
    lines += [
        f"| `{each['recipe']}` | {each['epoch']} of {each['epochs']} | {each['size_px']} | {each['views']} "
        f"| `{each['command']}` |"
        for each in rows
    ]
    return "\n".join(lines)
