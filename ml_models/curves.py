"""The curves of a run as SVG: the same history gives the same bytes, in light and in dark."""

from collections.abc import Sequence
from html import escape
from typing import Any

WIDTH, HEIGHT, LEFT, TOP, GAP = 320, 200, 52, 58, 76
_STYLE = """
text { font: 12px system-ui, sans-serif; fill: #4b5e67; }
.title { font-size: 14px; font-weight: 600; }
.grid { stroke: #8a9aa1; stroke-opacity: 0.35; fill: none; }
polyline { fill: none; stroke-width: 2; }
.a { stroke: #0b6e69; } .b { stroke: #b4540a; stroke-dasharray: 6 3; }
.c { stroke: #5b4bb0; stroke-dasharray: 2 3; }
@media (prefers-color-scheme: dark) {
text { fill: #b7c6cc; } .a { stroke: #4fc3b7; } .b { stroke: #f0a35e; } .c { stroke: #b0a4f5; } }
"""
Line = tuple[str, str, list[float | None]]  # style, what it shows, a value for each epoch


def draw(name: str, history: Sequence[dict[str, Any]]) -> str:
    """Loss, and the figures of `val`, over the epochs."""
    epochs = [int(row["epoch"]) for row in history]

    def values(key: str) -> list[float | None]:
        return [row.get(key) for row in history]

    left: list[Line] = [("a", "train", values("loss")), ("b", "val", values("val_loss"))]
    right: list[Line] = [
        ("a", "val", values("val_accuracy")),
        ("b", "val balanced", values("val_balanced_accuracy")),
        ("c", "train", values("accuracy")),
    ]
    top = max([0.1, *(value for _, _, line in left for value in line if value is not None)])
    top = next(limit for limit in (0.25, 0.5, 1.0, 2.0, 3.0, 5.0, 10.0, top) if top <= limit)
    total_width, total_height = LEFT + 2 * WIDTH + GAP + 20, TOP + HEIGHT + 46
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {total_width} {total_height}" '
        f'width="{total_width}" height="{total_height}" role="img" aria-label="Training of {escape(name)}">',
        f"<title>Training of {escape(name)}</title>",
        f"<style>{_STYLE}</style>",
        *_panel("Loss", LEFT, epochs, left, top),
        *_panel("Share that is right", LEFT + WIDTH + GAP, epochs, right, 1.0),
        "</svg>\n",
    ]
    return "\n".join(parts)


def _panel(title: str, x0: int, epochs: Sequence[int], lines: Sequence[Line], top: float) -> list[str]:
    last = max([2, *epochs])

    def x(epoch: float) -> float:
        return x0 + WIDTH * (epoch - 1) / (last - 1)

    def y(value: float) -> float:
        return TOP + HEIGHT * (1.0 - min(value / top, 1.0))

    parts = [f'<text class="title" x="{x0}" y="20">{escape(title)}</text>']
    for step in range(6):
        value = top * step / 5
        parts.append(f'<path class="grid" d="M{x0} {y(value):.1f}h{WIDTH}"/>')
        parts.append(f'<text x="{x0 - 6}" y="{y(value) + 4:.1f}" text-anchor="end">{value:.2g}</text>')
    for epoch in sorted({1, (last + 1) // 2, last}):
        parts.append(f'<text x="{x(epoch):.1f}" y="{TOP + HEIGHT + 18}" text-anchor="middle">{epoch}</text>')
    parts.append(f'<text x="{x0 + WIDTH / 2}" y="{TOP + HEIGHT + 36}" text-anchor="middle">epoch</text>')
    legend = x0
    for style, text, values in lines:
        points = [
            f"{x(epoch):.1f},{y(value):.1f}"
            for epoch, value in zip(epochs, values, strict=True)
            if value is not None
        ]
        if not points:
            continue
        parts.append(f'<polyline class="{style}" points="{" ".join(points)}"/>')
        parts.append(f'<polyline class="{style}" points="{legend},40 {legend + 18},40"/>')
        parts.append(f'<text x="{legend + 23}" y="44">{escape(text)}</text>')
        legend += 36 + 7 * len(text)
    return parts
