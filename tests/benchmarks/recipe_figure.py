"""Two small charts side by side as SVG: loss by tokens, loss by minutes."""

from collections.abc import Callable, Mapping, Sequence

Point = tuple[int, float, float]  # tokens, seconds, loss
Points = Sequence[Point]

WIDTH, HEIGHT, LEFT, BOTTOM, TOP, GAP = 360, 240, 44, 36, 28, 24
COLORS = ("#2563eb", "#9ca3af")


def figure(curves: Mapping[str, Points]) -> str:
    losses = [loss for points in curves.values() for _, _, loss in points]
    low, high = min(losses) - 0.1, max(losses) + 0.1
    charts = [
        _chart(curves, at=0, unit="thousand tokens", x=lambda p: p[0] / 1e3, low=low, high=high),
        _chart(curves, at=1, unit="minutes", x=lambda p: p[1] / 60, low=low, high=high),
    ]
    names = "".join(
        f'<text x="{LEFT + 130 * i}" y="16" fill="{color}">{name}</text>'
        for i, (name, color) in enumerate(zip(curves, COLORS, strict=False))
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {2 * WIDTH + GAP} {HEIGHT}" '
        'font-family="system-ui, sans-serif" font-size="11" fill="#6b7280">\n'
        f'<rect width="100%" height="100%" fill="#ffffff"/>\n{names}\n'
        + "\n".join(charts)
        + "\n</svg>\n"
    )


def _chart(
    curves: Mapping[str, Points],
    *,
    at: int,
    unit: str,
    x: Callable[[Point], float],
    low: float,
    high: float,
) -> str:
    right = max(x(p) for points in curves.values() for p in points)
    start, width = at * (WIDTH + GAP) + LEFT, WIDTH - LEFT - 16
    height = HEIGHT - TOP - BOTTOM

    def place(p: Point) -> str:
        across = start + width * x(p) / right
        return f"{across:.1f},{TOP + height * (high - p[2]) / (high - low):.1f}"

    lines = [
        f'<polyline fill="none" stroke="{color}" stroke-width="2" '
        f'points="{" ".join(place(p) for p in points)}"/>'
        for points, color in zip(curves.values(), COLORS, strict=False)
    ]
    marks = []
    for tick in range(int(low) + 1, int(high) + 1):
        y = TOP + height * (high - tick) / (high - low)
        marks.append(f'<text x="{start - 6}" y="{y + 4:.1f}" text-anchor="end">{tick}</text>')
        marks.append(f'<path d="M{start} {y:.1f}h{width}" stroke="#e5e7eb"/>')
    for share in (0, 0.5, 1):
        marks.append(
            f'<text x="{start + share * width:.0f}" y="{HEIGHT - 20}" text-anchor="middle">'
            f"{share * right:.3g}</text>"
        )
    marks.append(
        f'<text x="{start + width / 2:.0f}" y="{HEIGHT - 5}" text-anchor="middle">{unit}; '
        "validation loss in nats</text>"
    )
    return "\n".join([*marks, *lines])
