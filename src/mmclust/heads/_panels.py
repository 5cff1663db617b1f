"""What a trained head makes of images, laid out by t-SNE, as DXMC's figure shows it.

Source: DXMC (arXiv 2409.04561) and its released code: t-SNE of perplexity 20, 3,000
iterations, Euclidean; coloured by the cluster that the image head predicts.
"""

from __future__ import annotations

import colorsys
from typing import TYPE_CHECKING, Any

import numpy as np

from mmclust.core.errors import MmclustError
from mmclust.core.io import write_bytes
from mmclust.core.manifest import read_manifest
from mmclust.core.numerics import threads
from mmclust.core.params import ModelParams, Params
from mmclust.core.plugins import IS, load
from mmclust.core.progress import track
from mmclust.core.seeds import derive, generator
from mmclust.heads._inputs import read_inputs
from mmclust.heads._networks import outputs_of
from mmclust.heads._rows import require_same_space
from mmclust.heads._saved import load_head

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from types import ModuleType

    Rows = np.ndarray[Any, Any]

PERPLEXITY, ITERATIONS = 20.0, 3000
PALETTE = (
    "#ECAAD7", "#FF4B4B", "#966E5A", "#969696", "#C3C33C", "#FFB050", "#64C8DC",
    "#3E8CBE", "#41AA41", "#A078C8", "#F8F819", "#636304", "#66FF66", "#333333",
    "#FF9999",
)  # fmt: skip
"""Of the figure: ten colours, and five more for ImageNet-Dogs."""
SIDE, TITLE, EDGE = 288.0, 18.0, 6.0
"""Points: two panels of four inches abreast make the figure's eight."""
SCALE = 2.0
"""Pixels per point of a PNG: 144 per inch."""
GOLDEN = 0.618034


def panels_of_benchmark(
    root: Path, benchmark: str, head: str, out: Path, **options: Any
) -> int:
    """Draw a benchmark's evaluated images; see :func:`draw_panels`."""
    folder = root / "data/heads" / benchmark / head
    _, facts = load_head(folder, options.get("seed", 0))
    module = require_drawable(facts, folder, out)
    manifest = read_manifest(root / "data/benchmarks" / benchmark / "manifest.parquet")
    params = Params(model=ModelParams(encoder=facts["encoder"]))
    read = read_inputs(root, manifest, params, module, module.Params())
    given = read.inputs.take(read.kept(manifest.evaluate_rows))
    return draw_panels(folder, given.image, given.text, out, **options)


def require_drawable(facts: Mapping[str, Any], where: Path, out: Path) -> ModuleType:
    """Return a head's plugin, if it has networks as DXMC's figure shows them."""
    if out.suffix not in (".png", ".svg"):
        raise MmclustError(
            "The figure is written as PNG or SVG",
            where="--out",
            expected="a name that ends in .png or .svg",
            found=out.name,
        )
    head = facts["head"]
    module = load("heads", facts.get(IS, head))
    if not hasattr(module, "recipe"):
        raise MmclustError(
            f"{head} has no networks of images and counterparts to draw",
            where=where,
            expected="tac or dxmc",
            found=head,
            do="draw another head",
        )
    return module


def draw_panels(
    folder: Path,
    image: Rows,
    text: Rows | None,
    out: Path,
    *,
    seed: int = 0,
    points: int = 3000,
    perplexity: float = PERPLEXITY,
    size: float = 1.0,
) -> int:
    """Draw image features, concatenation, instance head and cluster head.

    ``image`` and ``text`` are float32 (n, d) at unit norm: images and their
    counterparts, if known. At most ``points`` are shown, drawn by a seed, as markers of
    a diameter of ``size`` points. The number of images shown is returned.
    """
    weights, facts = load_head(folder, seed)
    require_drawable(facts, folder, out)
    require_same_space(facts["dim"], image.shape[1], "the head")
    if len(image) > points:
        draw = generator(seed, "panels", "points")
        chosen = np.sort(draw.choice(len(image), points, replace=False))
        image, text = image[chosen], None if text is None else text[chosen]
    if len(image) <= perplexity:
        raise MmclustError(
            f"t-SNE of perplexity {perplexity:g} needs more images than that",
            expected=f"more than {perplexity:g} images",
            found=len(image),
            do="lower --perplexity, or give more images",
        )
    views = _views(weights, image, text)
    labels = views["Image cluster head"].argmax(axis=1)
    places = {
        name: _layout(rows, perplexity, derive(seed, "panels", name))
        for name, rows in track(views.items(), "t-SNE", len(views), "panels")
    }
    picture = _svg(places, labels, size).encode()
    if out.suffix == ".png":
        import vl_convert

        picture = vl_convert.svg_to_png(picture.decode(), scale=SCALE, ppi=72)
    write_bytes(out, picture)
    return len(image)


def _views(
    weights: Mapping[str, Any], image: Rows, text: Rows | None
) -> dict[str, Rows]:
    """Return the figure's panels, those of DXMC's four that there are."""
    views = {"Image features": image}
    if text is not None:
        require_same_space(image.shape[1], text.shape[1], "text counterparts")
        views["Concatenation with text counterparts"] = np.hstack([image, text])
    if any(name.startswith("image_instance.") for name in weights):
        views["Image instance head"] = outputs_of(weights, image, "image_instance")
    views["Image cluster head"] = outputs_of(weights, image, "image")
    return views


def _layout(rows: Rows, perplexity: float, seed: int) -> Rows:
    """Return positions in [0, 1]: (n, 2); one thread, which the bytes depend on."""
    from sklearn.manifold import TSNE

    with threads(1):
        found = TSNE(
            perplexity=perplexity, max_iter=ITERATIONS, random_state=seed % 2**32
        ).fit_transform(np.asarray(rows, np.float32))
    low, high = found.min(axis=0), found.max(axis=0)
    scaled: Rows = (found - low) / np.where(high > low, high - low, 1)
    return scaled


def colour(cluster: int) -> str:
    """Return a cluster's colour: the figure's fifteen, then hues far apart."""
    if cluster < len(PALETTE):
        return PALETTE[cluster]
    step = cluster - len(PALETTE)
    rgb = colorsys.hls_to_rgb(step * GOLDEN % 1, (0.35, 0.6)[step % 2], 0.7)
    return "#" + "".join(f"{round(255 * part):02X}" for part in rgb)


def _svg(places: Mapping[str, Rows], labels: Rows, size: float) -> str:
    height = (SIDE + TITLE) * ((len(places) + 1) // 2)
    box = f'width="{2 * SIDE:g}pt" height="{height:g}pt" '
    box += f'viewBox="0 0 {2 * SIDE:g} {height:g}"'
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {box}>',
        '<rect width="100%" height="100%" fill="white"/>',
    ]
    for number, (name, at) in enumerate(places.items()):
        left, top = number % 2 * SIDE, number // 2 * (SIDE + TITLE)
        title = f'<text x="{left + SIDE / 2:g}" y="{top + 13:g}" font-size="11" '
        title += f'text-anchor="middle" font-family="sans-serif">{name}</text>'
        lines.append(title)
        spots = at * (SIDE - 2 * EDGE) + (left + EDGE, top + TITLE + EDGE)
        for cluster in np.unique(labels):
            dots = "".join(
                f'<circle cx="{x:.2f}" cy="{y:.2f}" r="{size / 2:g}"/>'
                for x, y in spots[labels == cluster]
            )
            lines.append(f'<g fill="{colour(int(cluster))}">{dots}</g>')
    return "\n".join([*lines, "</svg>", ""])
