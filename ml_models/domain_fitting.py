"""Statistics of a release's domain, its limits, and the scores that were compared for it."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ml_models import metrics
from ml_models.domain import Domain, Floats

DIMENSIONS = 128
NEIGHBOURS = 10
# The smallest of these shares of `val` is refused with which the tuning half of the ordinary photos is.
SHARES = (0.01, 0.015, 0.02, 0.03)
FOUND = 0.93


def fit(embeddings: Floats, tones: Floats) -> Domain:
    """Statistics of training images: embeddings [n, d] and `domain.colours` [m, c]. Without limits."""
    mean = embeddings.mean(axis=0)
    centred = embeddings - mean
    values, vectors = np.linalg.eigh(centred.T @ centred / len(centred))
    # Half precision here, so that what is measured is what is stored.
    kept = min(DIMENSIONS, max(1, len(embeddings) // 4))
    components = vectors[:, np.argsort(values)[::-1][:kept]].astype(np.float16).astype(np.float64)
    outside = np.maximum((centred**2).sum(axis=1) - ((centred @ components) ** 2).sum(axis=1), 0.0)
    covariance: Floats = np.cov(tones.T).astype(np.float64) + 1e-6 * np.eye(tones.shape[1])
    return Domain(
        mean=mean.astype(np.float32).astype(np.float64),
        components=components,
        residual=float(max(outside.mean(), 1e-12)),
        colour_mean=tones.mean(axis=0),
        colour_precision=np.asarray(np.linalg.inv(covariance), dtype=np.float64),
        limit=np.inf,
        far=np.inf,
    )


def with_limits(domain: Domain, val: Floats, photos: Floats) -> tuple[Domain, float]:
    """The domain with limits, and the share of `val` that the lower one is meant to refuse.

    `val` are scores [n] of dermatoscopic images, `photos` of the tuning half of ordinary photos, if any.
    """
    for share in SHARES:
        limit = _rounded(float(np.quantile(val, 1.0 - share)))
        if not len(photos) or float((photos > limit).mean()) >= FOUND:
            break
    far = _rounded(max(limit, float(val.max())))
    return replace(domain, limit=limit, far=far), share


def _rounded(value: float) -> float:
    return float(np.ceil(value * 10_000) / 10_000)


def compare(
    domain: Domain,
    train: tuple[Floats, NDArray[np.int64]],
    val: tuple[Floats, Floats, Floats],
    photos: tuple[Floats, Floats, Floats],
) -> dict[str, float | None]:
    """AUROC of each score, ordinary photos against `val`.

    `train` are embeddings [n, d] and labels [n]; the others are embeddings, colours and logits.
    """
    reference, labels = train
    inside = (reference - domain.mean) @ domain.components
    scale = np.maximum(inside.std(axis=0), 1e-9)
    means = np.stack([inside[labels == i].mean(axis=0) for i in np.unique(labels)])
    spread = inside - means[np.unique(labels, return_inverse=True)[1]]
    covariance = spread.T @ spread / len(spread)
    ridge = 1e-6 * np.trace(covariance) / len(covariance) + 1e-12
    precision = np.linalg.inv(covariance + ridge * np.eye(len(covariance)))

    def mahalanobis(embeddings: Floats) -> Floats:
        offset = ((embeddings - domain.mean) @ domain.components)[:, None] - means[None]
        result: Floats = np.einsum("nck,kj,ncj->nc", offset, precision, offset).min(axis=1)
        return result

    def neighbours(embeddings: Floats) -> Floats:
        points = ((embeddings - domain.mean) @ domain.components) / scale
        bank = inside / scale
        squares = (points**2).sum(1)[:, None] + (bank**2).sum(1)[None] - 2.0 * points @ bank.T
        kth = min(NEIGHBOURS, len(bank)) - 1
        result: Floats = np.partition(squares, kth, axis=1)[:, kth]
        return result

    def energy(logits: Floats) -> Floats:
        top = logits.max(axis=1)
        result: Floats = -(top + np.log(np.exp(logits - top[:, None]).sum(axis=1)))
        return result

    def area(inner: Floats, outer: Floats) -> float | None:
        value = metrics.auc(
            np.concatenate([inner, outer]), np.repeat([False, True], [len(inner), len(outer)])
        )
        return None if value is None else round(value, 4)

    return {
        "energy": area(energy(val[2]), energy(photos[2])),
        "Mahalanobis, nearest class": area(mahalanobis(val[0]), mahalanobis(photos[0])),
        f"nearest neighbours ({NEIGHBOURS}th, whitened)": area(neighbours(val[0]), neighbours(photos[0])),
        "outside of the training embeddings": area(
            domain.embedding_scores(val[0]), domain.embedding_scores(photos[0])
        ),
        "colours": area(domain.colour_scores(val[1]), domain.colour_scores(photos[1])),
        "outside and colours (released)": area(
            domain.scores(val[0], val[1]), domain.scores(photos[0], photos[1])
        ),
    }


def share_refused(domain: Domain, scores: Floats) -> float:
    return round(float((scores > domain.limit).mean()), 4) if len(scores) else 0.0
