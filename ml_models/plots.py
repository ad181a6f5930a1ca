"""Figures as SVG: the same numbers give the same bytes, and the page's light or dark decides the colours."""

from collections.abc import Sequence
from html import escape
from typing import Any

Point = tuple[float, float]

_STYLE = """
:root { --ink: #14232b; --soft: #dbe3e3; --muted: #4b5e67; --accent: #0b6e69; --paper: #fff; }
@media (prefers-color-scheme: dark) {
:root { --ink: #e6eef0; --soft: #2a3a42; --muted: #a3b5bc; --accent: #4fc3b7; --paper: #162127; }
}
text { font: 13px system-ui, sans-serif; fill: var(--ink); }
.small { font-size: 11px; fill: var(--muted); }
.title { font-size: 15px; font-weight: 600; }
.paper { fill: var(--paper); }
.grid { stroke: var(--soft); stroke-width: 1; }
.axis { stroke: var(--muted); stroke-width: 1; fill: none; }
.even { stroke: var(--muted); stroke-width: 1; stroke-dasharray: 4 4; fill: none; }
.line { stroke: var(--accent); stroke-width: 2.5; fill: none; }
.dot { fill: var(--accent); }
.band { fill: var(--accent); opacity: 0.18; }
.cell { fill: var(--accent); }
.bar { fill: var(--accent); opacity: 0.45; }
"""
_SIDE, _LEFT, _TOP = 320, 62, 48


def reliability(bins: Sequence[dict[str, Any]], ece: float | None) -> str:
    """Accuracy over confidence, the bars' width by where the bin lies, the dots' size by its images."""
    plot = _Plot("Reliability", "probability of the most likely class", "share that is right")
    plot.diagonal()
    most = max((each["n"] for each in bins), default=1) or 1
    for each in bins:
        if not each["n"]:
            continue
        low, high = plot.x(each["low"]), plot.x(each["high"])
        top = plot.y(each["accuracy"])
        plot.add(
            f'<rect class="bar" x="{low:.1f}" y="{top:.1f}" width="{high - low - 1:.1f}" '
            f'height="{plot.y(0) - top:.1f}"/>'
        )
        radius = 2.0 + 6.0 * (each["n"] / most) ** 0.5
        plot.add(
            f'<circle class="dot" cx="{plot.x(each["confidence"]):.1f}" cy="{top:.1f}" r="{radius:.1f}"/>'
        )
    if ece is not None:
        plot.note(f"expected calibration error {ece:.3f}", top=True)
    return plot.svg()


def roc(curve: Sequence[Point], area: float | None, marks: Sequence[tuple[float, float, str]] = ()) -> str:
    """Points are (1 - specificity, sensitivity); marks name some of them."""
    plot = _Plot("Malignant or pre-cancer: ROC", "1 - specificity", "sensitivity")
    plot.diagonal()
    plot.line(curve)
    for x, y, text in marks:
        plot.add(f'<circle class="dot" cx="{plot.x(x):.1f}" cy="{plot.y(y):.1f}" r="4"/>')
        plot.add(
            f'<text class="small" x="{plot.x(x) + 8:.1f}" y="{plot.y(y) + 14:.1f}">{escape(text)}</text>'
        )
    if area is not None:
        plot.note(f"area {area:.3f}")
    return plot.svg()


def risk_coverage(points: Sequence[Point], chosen: Point | None = None) -> str:
    """Points are (coverage, share of errors among the images kept)."""
    top = max([0.05, *(risk for _, risk in points)])
    top = next(limit for limit in (0.1, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0) if top <= limit)
    plot = _Plot("Risk and coverage", "share of images answered, the most confident first", "errors", top=top)
    plot.line(points)
    if chosen is not None:
        x, y = plot.x(chosen[0]), plot.y(chosen[1])
        plot.add(f'<circle class="dot" cx="{x:.1f}" cy="{y:.1f}" r="4"/>')
        plot.add(f'<text class="small" x="{x - 6:.1f}" y="{y - 8:.1f}" text-anchor="end">as released</text>')
    return plot.svg()


def confusion(classes: Sequence[str], matrix: Sequence[Sequence[int]]) -> str:
    """Rows are labels, columns are answers; the shade is the share of the row."""
    side = max(40, 360 // max(len(classes), 1))
    width, height = 92 + side * len(classes) + 16, 84 + side * len(classes) + 16
    parts = [
        f'<text class="title" x="16" y="24">{escape("Confusion matrix")}</text>',
        '<text class="small" x="16" y="44">rows: what it is; columns: what was answered</text>',
    ]
    for column, name in enumerate(classes):
        x = 92 + side * (column + 0.5)
        parts.append(f'<text x="{x:.1f}" y="74" text-anchor="middle">{escape(_short(name))}</text>')
    for row, (name, counts) in enumerate(zip(classes, matrix, strict=True)):
        y = 84 + side * row
        total = sum(counts) or 1
        parts.append(
            f'<text x="84" y="{y + side / 2 + 5:.1f}" text-anchor="end">{escape(_short(name))}</text>'
        )
        for column, count in enumerate(counts):
            x = 92 + side * column
            share = 0.65 * count / total
            parts.append(
                f'<rect class="cell" x="{x}" y="{y}" width="{side - 1}" height="{side - 1}" '
                f'opacity="{share:.3f}"/>'
            )
            parts.append(
                f'<text x="{x + side / 2:.1f}" y="{y + side / 2 + 5:.1f}" text-anchor="middle">{count}</text>'
            )
    return _document("Confusion matrix", width, height, parts)


def _short(name: str) -> str:
    return name if len(name) <= 10 else f"{name[:9]}…"


class _Plot:
    """A square field with both axes from 0; `top` is where the vertical one ends."""

    def __init__(self, title: str, across: str, up: str, top: float = 1.0) -> None:
        self._title, self._top = title, top
        self._parts = [
            f'<text class="title" x="16" y="24">{escape(title)}</text>',
            f'<text x="{_LEFT + _SIDE / 2}" y="{_TOP + _SIDE + 38}" text-anchor="middle">'
            f"{escape(across)}</text>",
            f'<text transform="translate(18 {_TOP + _SIDE / 2}) rotate(-90)" text-anchor="middle">'
            f"{escape(up)}</text>",
        ]
        for step in range(6):
            x, y = self.x(step / 5), self.y(step / 5 * top)
            self.add(
                f'<path class="grid" d="M{x:.1f} {_TOP}V{_TOP + _SIDE}M{_LEFT} {y:.1f}H{_LEFT + _SIDE}"/>'
            )
            self.add(
                f'<text class="small" x="{x:.1f}" y="{_TOP + _SIDE + 16}" text-anchor="middle">'
                f"{step / 5:g}</text>"
            )
            self.add(
                f'<text class="small" x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">'
                f"{step / 5 * top:.2g}</text>"
            )
        self.add(f'<path class="axis" d="M{_LEFT} {_TOP}V{_TOP + _SIDE}H{_LEFT + _SIDE}"/>')

    def x(self, value: float) -> float:
        return _LEFT + _SIDE * value

    def y(self, value: float) -> float:
        return _TOP + _SIDE * (1.0 - min(value / self._top, 1.0))

    def add(self, part: str) -> None:
        self._parts.append(part)

    def diagonal(self) -> None:
        self.add(f'<path class="even" d="M{self.x(0):.1f} {self.y(0):.1f}L{self.x(1):.1f} {self.y(1):.1f}"/>')

    def line(self, points: Sequence[Point]) -> None:
        if points:
            path = "L".join(f"{self.x(x):.1f} {self.y(y):.1f}" for x, y in points)
            self.add(f'<path class="line" d="M{path}"/>')

    def note(self, text: str, *, top: bool = False) -> None:
        """In the lower right corner, or in the upper left one."""
        x, y, anchor = (
            (_LEFT + 8, _TOP + 18, "start") if top else (_LEFT + _SIDE - 6, _TOP + _SIDE - 8, "end")
        )
        self.add(f'<text class="small" x="{x}" y="{y}" text-anchor="{anchor}">{escape(text)}</text>')

    def svg(self) -> str:
        return _document(self._title, _LEFT + _SIDE + 22, _TOP + _SIDE + 54, self._parts)


def _document(title: str, width: int, height: int, parts: Sequence[str]) -> str:
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
            f'height="{height}" role="img" aria-label="{escape(title, quote=True)}">',
            f"<title>{escape(title)}</title>",
            f"<style>{_STYLE}</style>",
            f'<rect class="paper" width="{width}" height="{height}" rx="8"/>',
            *parts,
            "</svg>\n",
        ]
    )
