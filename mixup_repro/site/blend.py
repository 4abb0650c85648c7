"""What is drawn for readers who ask what alpha is: two blended digits, and the moons by alpha."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from markupsafe import Markup
from PIL import Image
from scipy.stats import beta
from sklearn.datasets import load_digits

from mixup_repro.beta import theta_bar
from mixup_repro.site.tables import rows

ALPHAS = (0.1, 0.25, 0.5, 1.0, 2.0, 8.0, 32.0)
STATIC = (0.1, 1.0, 32.0)
QUANTILES = (0.1, 0.3, 0.5, 0.7, 0.9)
WIDTH, HEIGHT = 320, 90  # of the density, in pixels
REACH, SHOWN = 75, 40  # of the cloud: pixels from its mean, digits of each class
DIGITS = (0, 1)  # the first examples of scikit-learn's digits: a zero and a one
CLASSES = np.array(
    [[0x9D, 0xC3, 0xEC], [255, 255, 255], [0xF4, 0xB7, 0x9E]]
)  # papers.style.classes
Map = tuple[str, str]


def stop(alpha: float) -> dict[str, object]:
    """Shares of the first digit at five quantiles of Beta(alpha, alpha), its density, theta_bar,
    and words."""
    shares = [round(float(q), 4) for q in beta.ppf(QUANTILES, alpha, alpha)]
    return {
        "shares": shares,
        "density": density(alpha),
        "theta": round(theta_bar(alpha), 3),
        "told": f"α = {alpha:g}, θ̄ = {theta_bar(alpha):.3f}",
    }


def density(alpha: float) -> str:
    """The density of lambda as a path; its highest value in sight fills the height."""
    lam = np.linspace(0.01, 0.99, 99)
    values = beta.pdf(lam, alpha, alpha)
    x, y = WIDTH * lam, HEIGHT * (1 - 0.95 * values / values.max())
    return "M" + "L".join(f"{a:.0f} {b:.1f}" for a, b in zip(x, y))


def cloud() -> tuple[str, str]:
    """Zeros and ones in the plane in which they vary most, as two paths; their mean is at 0."""
    data = load_digits()
    chosen = np.isin(data.target, DIGITS)
    x, y = data.data[chosen], data.target[chosen]
    x = x - x.mean(0)
    plane = x @ np.linalg.svd(x, full_matrices=False)[2][:2].T
    plane *= np.sign(plane[np.abs(plane).argmax(0), (0, 1)])  # a sign of svd's is nobody's choice
    places = np.rint(REACH * plane / np.abs(plane).max()).astype(int)
    dots = ("".join(f"M{a} {b}z" for a, b in places[y == digit][:SHOWN]) for digit in DIGITS)
    zeros, ones = dots
    return zeros, ones


def png(pixels: np.ndarray) -> str:
    """Pixels (height, width[, 3]) as an address that holds the picture."""
    buffer = BytesIO()
    Image.fromarray(pixels.astype(np.uint8)).save(buffer, "PNG", optimize=True)
    return f"data:image/png;base64,{b64encode(buffer.getvalue()).decode()}"


def digits() -> dict[str, Any]:
    """What the slider shows, and three rows that need no script; blend.html sets it."""
    stops = {alpha: stop(alpha) for alpha in ALPHAS}
    return {
        "pictures": [png(load_digits().images[k] * 255 / 16) for k in DIGITS],
        "cloud": cloud(),
        "held": Markup(json.dumps(list(stops.values()), ensure_ascii=False)),
        "start": ALPHAS.index(1.0),
        "last": len(ALPHAS) - 1,
        "live": stops[1.0],
        "still": [stops[alpha] for alpha in STATIC],
        "reach": REACH + 4,
        "width": WIDTH,
        "height": HEIGHT,
    }


def moons(folder: Path, grids: Sequence[tuple[str, list[Map]]]) -> Markup:
    """Maps of the moons by alpha: a choice that needs no script.

    grids: for each stop its name, and the maps shown there: title and file stem in results/maps.

    Raises:
        InputError: a map is not there.
    """
    labels, maps, rules = [], [], []
    for k, (name, shown) in enumerate(grids):
        checked = " checked" if k == min(1, len(grids) - 1) else ""
        labels.append(
            f'<label><input type="radio" name="stop" value="{k}" id="stop{k}"{checked}>'
            f"{name}</label>"
        )
        pictures = "".join(
            f'<figure><img src="{_map(folder / "maps" / f"{stem}.csv")}" width="260" height="260" '
            f'alt="{title}, {name}: share of runs that say class 1">'
            f"<figcaption>{title}</figcaption></figure>"
            for title, stem in shown
        )
        maps.append(f'<div class="maps" id="maps{k}">{pictures}</div>')
        rules.append(f".moons:has(#stop{k}:checked) #maps{k}")
    in_print = "@media print{.moons .maps{display:grid}}"
    style = f"<style>{','.join(rules)}{{display:grid}}{in_print}</style>"
    return Markup(
        f'{style}<div class="moons"><fieldset><legend>α of training</legend>{"".join(labels)}'
        f"</fieldset>{''.join(maps)}</div>"
    )


def _map(path: Path) -> str:
    """The share of runs that decide for class 1 at each point, blue to orange over white."""
    runs = [list(row.values())[1:] for row in rows(path)]  # the first column is the seed
    votes = (np.array(runs, dtype=float) > 0.5).mean(0)
    side = round(len(votes) ** 0.5)
    share = votes.reshape(side, side)[::-1]
    low = np.minimum(share * 2, 1)[..., None]
    high = np.maximum(share * 2 - 1, 0)[..., None]
    colours = CLASSES[0] + low * (CLASSES[1] - CLASSES[0]) + high * (CLASSES[2] - CLASSES[1])
    return png(np.rint(colours))
