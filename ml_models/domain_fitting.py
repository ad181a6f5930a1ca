"""A release's domain: its score, its limits, and the scores that were compared with it."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from ml_models import metrics
from ml_models.domain import Domain, Floats

C = 0.01  # of the regression, on standardised numbers: the less, the more it is held back
FOLDS = 5
FOUND = 0.99  # of the photos, each scored without it
REFUSED = 0.01  # of val, at most
DIMENSIONS = 128
NEIGHBOURS = 10


@dataclass(frozen=True)
class Seen:
    """What the Keras network says of images: logits [n, 8], embeddings [n, d]; their colours [n, c]."""

    logits: Floats
    embeddings: Floats
    tones: Floats

    def __len__(self) -> int:
        return len(self.embeddings)

    def __getitem__(self, which: Any) -> "Seen":
        return Seen(self.logits[which], self.embeddings[which], self.tones[which])

    def __add__(self, other: "Seen") -> "Seen":
        pairs = zip(self._parts, other._parts, strict=True)
        return Seen(*(np.concatenate(pair) for pair in pairs))

    @property
    def _parts(self) -> tuple[Floats, Floats, Floats]:
        return self.logits, self.embeddings, self.tones

    @property
    def numbers(self) -> Floats:
        """Embeddings and colours side by side, [n, d + c]."""
        return np.hstack([self.embeddings, self.tones])


def looks(photo: Image.Image) -> Iterator[Image.Image]:
    """A photo as `LOOKS` pictures: the whole, its corners, its middle from close by, and the whole in grey.

    What a network must not take for a lesion is rarely framed like the photos that there are.
    """
    yield photo
    width, height = photo.size
    side, close = (max(1, round(share * min(width, height))) for share in (0.7, 1 / 3))
    for left in (0, width - side):
        for top in (0, height - side):
            yield photo.crop((left, top, left + side, top + side))
    for part in (2, 4):
        left, top = (width - close) // part, (height - close) // part
        yield photo.crop((left, top, left + close, top + close))
    yield ImageOps.grayscale(photo).convert("RGB")


LOOKS = 8


def fit(own: Seen, photos: Seen) -> Domain:
    """The score by logistic regression, without limits. `photos` are the `looks` of ordinary photos."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import StandardScaler

    numbers = np.concatenate([own.numbers, photos.numbers])
    strange = np.repeat([False, True], [len(own), len(photos)])
    scaler = StandardScaler().fit(numbers)
    regression = LogisticRegression(C=C, class_weight="balanced", max_iter=3000)
    regression.fit(scaler.transform(numbers), strange)
    weights = regression.coef_[0] / scaler.scale_
    dimensions = own.embeddings.shape[1]
    return Domain(
        embedding_weights=weights[:dimensions],
        colour_weights=weights[dimensions:],
        bias=float(regression.intercept_[0] - weights @ scaler.mean_),
        limit=np.inf,
        far=np.inf,
    )


def scores_unseen(own: Seen, photos: Seen) -> Floats:
    """A score [n] of each whole photo, by the regression that none of its looks was used for.

    `photos` are the looks of n photos, one photo after the other.
    """
    number = np.arange(len(photos)) // LOOKS
    whole = np.arange(len(photos)) % LOOKS == 0
    scores: Floats = np.empty(len(photos))
    for fold in range(FOLDS):
        left_out = number % FOLDS == fold
        rest = fit(own, photos[~left_out])
        scores[left_out] = rest.scores(photos.embeddings[left_out], photos.tones[left_out])
    unseen: Floats = scores[whole]
    return unseen


def with_limits(domain: Domain, val: Floats, photos: Floats) -> Domain:
    """The domain with limits: `val` are scores [n] of dermatoscopic images, `photos` from `scores_unseen`.

    The lower limit is the highest with which FOUND of the photos are refused, so that pictures of other
    dermatoscopes keep as much room as there is; higher where REFUSED of `val` would be passed.
    """
    found = float(np.quantile(photos, 1.0 - FOUND, method="lower")) - 1e-4
    limit = _rounded(max(found, float(np.quantile(val, 1.0 - REFUSED))))
    return replace(domain, limit=limit, far=max(limit, _rounded(float(val.max()))))


def _rounded(value: float) -> float:
    return float(np.ceil(value * 10_000) / 10_000)


def compare(
    domain: Domain, train: tuple[Seen, NDArray[np.int64]], val: Seen, photos: Seen
) -> dict[str, float | None]:
    """AUROC of each score, ordinary photos that the score has not learnt from against `val`.

    `train` are dermatoscopic images that the network has learnt from, with their labels [n].
    """
    own, labels = train
    inside = _Inside(own.embeddings, labels)

    def area(score: Any) -> float | None:
        values = np.concatenate([score(val), score(photos)])
        value = metrics.auc(values, np.repeat([False, True], [len(val), len(photos)]))
        return None if value is None else round(value, 4)

    return {
        "energy": area(lambda seen: _energy(seen.logits)),
        "Mahalanobis, nearest class": area(lambda seen: inside.mahalanobis(seen.embeddings)),
        f"nearest neighbours ({NEIGHBOURS}th, whitened)": area(
            lambda seen: inside.neighbours(seen.embeddings)
        ),
        "outside of the training embeddings": area(lambda seen: inside.outside(seen.embeddings)),
        "colours, Mahalanobis": area(lambda seen: _distance(seen.tones, own.tones)),
        "outside and colours": area(
            lambda seen: (
                np.log(inside.outside(seen.embeddings)) + 0.5 * np.log(_distance(seen.tones, own.tones))
            )
        ),
        "learnt from photos (released)": area(lambda seen: domain.scores(seen.embeddings, seen.tones)),
    }


class _Inside:
    """The few directions that training embeddings [n, d] fill, and distances within them and from them."""

    def __init__(self, embeddings: Floats, labels: NDArray[np.int64]) -> None:
        self._mean = embeddings.mean(axis=0)
        centred = embeddings - self._mean
        values, vectors = np.linalg.eigh(centred.T @ centred / len(centred))
        kept = min(DIMENSIONS, max(1, len(embeddings) // 4))
        self._components = vectors[:, np.argsort(values)[::-1][:kept]]
        points = centred @ self._components
        self._scale = np.maximum(points.std(axis=0), 1e-9)
        self._bank = points / self._scale
        classes, of_class = np.unique(labels, return_inverse=True)
        self._means = np.stack([points[of_class == i].mean(axis=0) for i in range(len(classes))])
        spread = points - self._means[of_class]
        covariance = spread.T @ spread / len(spread)
        ridge = 1e-6 * np.trace(covariance) / len(covariance) + 1e-12
        self._precision = np.linalg.inv(covariance + ridge * np.eye(len(covariance)))

    def outside(self, embeddings: Floats) -> Floats:
        """The square of what lies outside of the directions (Wang et al. 2022)."""
        centred = embeddings - self._mean
        squares: Floats = (centred**2).sum(axis=1) - ((centred @ self._components) ** 2).sum(axis=1)
        return np.maximum(squares, 1e-12)

    def mahalanobis(self, embeddings: Floats) -> Floats:
        offset = ((embeddings - self._mean) @ self._components)[:, None] - self._means[None]
        result: Floats = np.einsum("nck,kj,ncj->nc", offset, self._precision, offset).min(axis=1)
        return result

    def neighbours(self, embeddings: Floats) -> Floats:
        points = ((embeddings - self._mean) @ self._components) / self._scale
        squares = (points**2).sum(1)[:, None] + (self._bank**2).sum(1)[None] - 2.0 * points @ self._bank.T
        kth = min(NEIGHBOURS, len(self._bank)) - 1
        result: Floats = np.partition(squares, kth, axis=1)[:, kth]
        return result


def _energy(logits: Floats) -> Floats:
    top = logits.max(axis=1)
    result: Floats = -(top + np.log(np.exp(logits - top[:, None]).sum(axis=1)))
    return result


def _distance(tones: Floats, own: Floats) -> Floats:
    """Squares of the Mahalanobis distance from `own`, [n]."""
    precision = np.linalg.inv(np.cov(own.T) + 1e-6 * np.eye(own.shape[1]))
    centred = tones - own.mean(axis=0)
    result: Floats = np.einsum("ni,ij,nj->n", centred, precision, centred)
    return np.maximum(result, 1e-12)


def share_refused(domain: Domain, scores: Floats) -> float:
    return round(float((scores > domain.limit).mean()), 4)
