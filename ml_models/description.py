"""A release's card as Markdown tables: docs/figures.md is what this gives for the default release."""

from collections.abc import Mapping, Sequence
from typing import Any

from ml_models.release import has_enough_positives
from ml_models.taxonomy import CODES

_SPLITS = ("val", "test")
# Sites and ages with fewer images are in the card, but say little.
_LEAST_SHOWN = 50
_COLUMNS = {"sex": "sex", "age": "age", "localization": "site"}
_FIGURES = {
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced accuracy",
    "macro_auc": "macro AUC",
    "top3_accuracy": "top-3 accuracy",
    "ece": "expected calibration error, 15 bins",
}
_VIEWS = {
    "7": (*_FIGURES,),
    "8": (*_FIGURES,),
    "4": ("accuracy", "balanced_accuracy", "macro_auc"),
    "3": ("accuracy", "balanced_accuracy", "macro_auc"),
    "2": ("macro_auc",),
}


def describe(card: Mapping[str, Any]) -> str:
    """The whole page; `card` is the content of a card.json."""
    return "\n\n".join(_page(card)) + "\n"


def _page(card: Mapping[str, Any]) -> list[str]:
    metrics, training = card["metrics"], card["training"]
    return [
        f"# Figures of the release `{card['name']}`",
        "Written from the release's card by `python -m ml_models describe`; a test compares them. "
        "In brackets 95 % intervals, by 1,000 resamples of whole lesions. "
        "What the figures mean is in [classifier.md](classifier.md).",
        f"Network: {card['network']}. Side of the input: {card['input']['size'][0]} px. "
        f"Made on {card['created']} by `{training['command']}`, epoch {training['epoch']}; "
        f"temperature {card['temperature']}.",
        "## Overall",
        _overall(metrics),
        *_metadata(card),
        "## By class",
        f"On `test`, {len(CODES)} classes.",
        _by_class(metrics["test"]),
        "## By sex, age and site",
        f"On `test`, groups of at least {_LEAST_SHOWN} images; the card has all. "
        "A dash is a sensitivity over too few malignant images.",
        _by_group(metrics["test"]["subgroups"]),
        "## Urgency",
        "Thresholds of the calibrated sum P(mel) + P(bcc) + P(scc) + P(ak), and of the entropy:",
        _table(
            ("threshold", "value", "rule"),
            [(name, each["value"], each["rule"]) for name, each in card["thresholds"].items()],
        ),
        "What they give, before any refusal:",
        _urgency(metrics),
        "## Refused",
        "All reasons together, of the images that could be read:",
        _refused(card),
        "On half of `val`, the mean risk over all coverages (less is better) by what could have been the "
        f"measure of uncertainty: {_list(card['abstention'])}. "
        f"On `test`, the error among the most confident images: {_risks(metrics['test']['risk_coverage'])}.",
        "## Domain",
        f"{_first_upper(card['domain']['score'])}. "
        "Area under the ROC curve between `val` and the other half of the photos:",
        _table(("score", "AUROC"), [(name, f"{v:.4f}") for name, v in card["domain"]["auroc"].items()]),
        _photos(card["domain"]),
        "## Quality of the picture",
        f"Rule: {card['quality']['rule']}. Of the unspoiled images of `val`, "
        f"{_percent(card['quality']['figures']['val']['refused'])} are refused.",
        _quality(card["quality"]),
        "## Activation maps",
        _maps(card["explanation"]),
        "## Formats",
        "Against the SavedModel, on images of `val`:",
        _formats(card["formats"]),
    ]


def _table(head: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _list(values: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {value:.4f}" for name, value in values.items())


def _first_upper(text: str) -> str:
    return text[:1].upper() + text[1:]


def _with_interval(value: float | None, interval: Sequence[float] | None) -> str:
    if value is None:
        return "-"
    return f"{value:.3f}" + (f" ({interval[0]:.3f}-{interval[1]:.3f})" if interval else "")


def _overall(metrics: Mapping[str, Any]) -> str:
    rows: list[list[Any]] = [["images", *(f"{metrics[split]['n']:,}" for split in _SPLITS)]]
    for view, names in _VIEWS.items():
        classes = "malignant or pre-cancer against the rest" if view == "2" else f"{view} classes"
        for name in names:
            cells = []
            for split in _SPLITS:
                summary = metrics[split]["views"][view]
                cells.append(_with_interval(summary[name], summary["ci"].get(name)))
            rows.append([f"{'AUC' if view == '2' else _FIGURES[name]}, {classes}", *cells])
    for specificity in ("0.80", "0.90"):
        found = [metrics[split]["sensitivity_at_specificity"] for split in _SPLITS]
        cells = [_with_interval(each[specificity], each["ci"][specificity]) for each in found]
        rows.append([f"sensitivity for malignant or pre-cancer at specificity {specificity}", *cells])
    return _table(("figure", "`val`", "`test`"), rows)


def _metadata(card: Mapping[str, Any]) -> list[str]:
    """Without and with age, sex and site, where the release has been measured with them."""
    measured = card.get("metadata", {}).get("metrics")
    if measured is None:
        return []
    rows = []
    for split in _SPLITS:
        for way, figures in (("image alone", card["metrics"][split]), ("with", measured[split])):
            seven, eight, four = (figures["views"][name] for name in ("7", "8", "4"))
            found = figures["sensitivity_at_specificity"]
            pairs = (
                (seven["accuracy"], seven["ci"]["accuracy"]),
                (seven["balanced_accuracy"], seven["ci"]["balanced_accuracy"]),
                (eight["macro_auc"], eight["ci"]["macro_auc"]),
                (four["accuracy"], four["ci"]["accuracy"]),
                (found["0.80"], found["ci"]["0.80"]),
                (eight["ece"], None),
            )
            rows.append((f"`{split}`", way, *(_with_interval(*pair) for pair in pairs)))
    head = ("on", "answer", "accuracy (7)", "balanced (7)", "macro AUC (8)", "accuracy (4)")
    return [
        "## With age, sex and site",
        "What `evaluate --metadata` lets them add to the logits, where they are known.",
        _table((*head, "sensitivity at specificity 0.80", "ECE (8)"), rows),
    ]


def _by_class(measured: Mapping[str, Any]) -> str:
    summary = measured["views"]["8"]
    return _table(
        ("class", "n", "recall", "precision", "AUC"),
        [
            (
                code,
                each["support"],
                _with_interval(each["recall"], summary["ci"]["recall"][code]),
                _with_interval(each["precision"], None),
                _with_interval(each["auc"], None),
            )
            for code, each in summary["per_class"].items()
        ],
    )


def _by_group(subgroups: Mapping[str, Any]) -> str:
    rows = []
    for column, groups in subgroups.items():
        for name, each in groups.items():
            if name == "unknown" or each["n"] < _LEAST_SHOWN:
                continue
            found = each["sensitivity_at_specificity"]
            rows.append(
                (
                    f"{_COLUMNS[column]}: {name}",
                    each["n"],
                    _with_interval(each["accuracy"], each["ci"]["accuracy"]),
                    _with_interval(found["0.80"], found["ci"]["0.80"])
                    if has_enough_positives(found)
                    else "-",
                    _percent(each["refused"]["share"]),
                )
            )
    return _table(("group", "n", "accuracy, 8 classes", "sensitivity at specificity 0.80", "refused"), rows)


def _urgency(metrics: Mapping[str, Any]) -> str:
    levels = ("urgent", "soon", "routine", "cannot_assess")
    rows = []
    for split in _SPLITS:
        given = metrics[split]["urgency"]
        pairs = [
            f"{given[f'{at}_sensitivity']:.3f}, {given[f'{at}_specificity']:.3f}" for at in levels[1::-1]
        ]
        rows.append((f"`{split}`", *(_percent(given[f"share_{level}"]) for level in levels), *pairs))
    pair = "sensitivity, specificity at"
    return _table(("on", *(f"`{level}`" for level in levels), f"{pair} `soon`", f"{pair} `urgent`"), rows)


def _refused(card: Mapping[str, Any]) -> str:
    sources = [
        (f"`{split}`", card["metrics"][split]["n"], card["metrics"][split]["refused"]) for split in _SPLITS
    ]
    names = {
        "photos_other_half": "ordinary photos, the half that it was not learnt from",
        "phone_photos": "phone photos of lesions, said to come from a dermatoscope",
    }
    for key, name in names.items():
        if key in card["domain"]:
            sources.append((name, card["domain"][key]["n"], card["domain"][key]["refused"]))
    return _table(
        ("images", "n", "refused", "reasons"),
        [
            (
                name,
                f"{n:,}",
                f"{given['n']}" + (f" ({_percent(given['share'])})" if "share" in given else ""),
                ", ".join(f"{reason} {count}" for reason, count in given["reasons"].items()),
            )
            for name, n, given in sources
        ],
    )


def _risks(curve: Mapping[str, Any]) -> str:
    shown = [point for point in curve["points"] if point["coverage"] in {0.5, 0.8, 0.9, 1.0}]
    return ", ".join(f"{_percent(p['risk'])} of {_percent(p['coverage'])}" for p in reversed(shown))


def _photos(domain: Mapping[str, Any]) -> str:
    return (
        f"`out_of_domain` above {domain['limit']['value']} ({domain['limit']['rule']}), `not_a_lesion` above "
        f"{domain['far']['value']} ({domain['far']['rule']}). This score alone refuses "
        f"{_percent(domain['val_refused'])} of `val`, {_percent(domain['photos_refused_tuning_half'])} of "
        "the half of the photos that it was learnt from, each by a regression without it, and "
        f"{_percent(domain['photos_refused_other_half'])} of the other half."
    )


def _quality(quality: Mapping[str, Any]) -> str:
    return _table(
        ("measure", "limit", "spoilage", "found, for any reason"),
        [
            (name, quality["limits"][name], each["spoilage"].rstrip("."), _percent(each["by_any_reason"]))
            for name, each in quality["figures"]["val"]["found"].items()
        ],
    )


def _maps(explanation: Mapping[str, Any]) -> str:
    test = explanation.get("test", {}).get("val")
    if test is None:
        return "There are none."
    random, another = test["difference_to_random_ci"], test["difference_to_another_ci"]
    return (
        f"Blurring the {_percent(test['covered'])} of the picture that the map points at takes "
        f"{test['loss_by_map']:.3f} off the probability of the likeliest class, on {test['n']} images of "
        f"`val`; as many places drawn at random take {test['loss_by_random_places']:.3f} (difference "
        f"{random[0]:.3f} to {random[1]:.3f}, 95 %), those that the map of another picture points at "
        f"{test['loss_by_map_of_another_picture']:.3f} (difference {another[0]:.3f} to {another[1]:.3f}). "
        + ("The maps are shown." if explanation["shown"] else "The maps are not shown.")
    )


def _formats(formats: Mapping[str, Any]) -> str:
    rows = []
    for name, each in formats.items():
        parity = each["parity"]
        clear = f"{_percent(parity['same_top_clear'])} of {parity['n_clear']}"
        rows.append(
            (
                name,
                f"`{each['file']}`",
                f"{_percent(parity['same_top'])} of {parity['n']}",
                clear,
                f"{parity['largest_difference']:.2g}",
            )
        )
    return _table(
        ("format", "file", "same top class", "of those with a margin over 0.05", "largest difference"), rows
    )
