"""A few pictures with what the first run's clusters see in them, for the page."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mmclust.core.errors import MmclustError
from mmclust.core.images import Images, decode
from mmclust.core.io import write_json, writing
from mmclust.core.manifest import read_manifest
from mmclust.core.objects import read_objects
from mmclust.grounding.boxes import box_of, region
from mmclust.grounding.look import Network, prepared, read_gold, read_model

if TYPE_CHECKING:
    from collections.abc import Sequence

    from PIL import Image, ImageDraw

    from mmclust.core.manifest import Manifest
    from mmclust.grounding.look import Gold, Model, Seen

Array = np.ndarray[Any, Any]

EDGE = 336
"""Side of each panel, in pixels."""
LINE = 26
"""Height of the words below it."""
COLUMNS = 3
GOLD = (255, 255, 255)
COLOURS = (
    (230, 75, 53), (77, 187, 213), (0, 160, 135), (255, 193, 7), (156, 106, 222),
    (243, 155, 127), (132, 205, 82), (240, 98, 176),
)  # fmt: skip
SUFFIXES = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG"}


def draw(
    image: str, out: Path, model: Path, benchmark: Path, *, seed: int = 0, most: int = 8
) -> list[tuple[int, list[str], float]]:
    """Draw what a word model sees in one picture.

    The first panel has the boxes of the active clusters and, in white, those of the
    benchmark's objects where it knows the picture; each further one a cluster's heat
    map, with its top words. Pictures are square, as the network sees them.
    """
    if out.suffix.lower() not in SUFFIXES:
        raise MmclustError(
            "A picture of this kind cannot be written",
            where="--out",
            expected=" or ".join(SUFFIXES),
            found=out.name,
        )
    learned = read_model(model)
    if seed >= learned.n_seeds:
        raise MmclustError(
            f"{model.name} has no run {seed}",
            where="--seed",
            expected=f"0 to {learned.n_seeds - 1}",
            found=seed,
        )
    rgb, gold = _picture(image, benchmark, learned.size)
    page, drawn = seen_in(Network(learned, seed), learned, seed, rgb, gold, most=most)
    with writing(out) as temporary:
        page.save(temporary, SUFFIXES[out.suffix.lower()])
    return drawn


def seen_in(
    network: Network, learned: Model, seed: int, rgb: Array, gold: Array, *, most: int
) -> tuple[Image.Image, list[tuple[int, list[str], float]]]:
    """Return the panels of a picture, and the clusters drawn as in :func:`draw`.

    These are those of the highest outputs. ``gold`` are known boxes, int (g, 4), on the
    square input.
    """
    small = prepared(rgb, learned.size)
    output = network.outputs(small[None])[0]
    active = np.flatnonzero(output >= learned.threshold)
    active = active[np.argsort(-output[active], kind="stable")][:most]
    _, heats = network.maps(0, active)
    words = learned.top_words(seed)
    titles = [", ".join(words[c]) or "no word" for c in active.tolist()]
    boxes = [box_of(region(heat)) for heat in heats]
    panels = [_first(rgb, boxes, gold, learned.size)]
    for at, (heat, box) in enumerate(zip(heats, boxes, strict=True)):
        panels.append(_overlaid(rgb, heat, box, COLOURS[at % len(COLOURS)]))
    page = _page(panels, [f"clusters: {len(active)}; objects in white", *titles])
    return page, [(int(c), words[c], float(output[c])) for c in active]


def _picture(image: str, benchmark: Path, side: int) -> tuple[Array, Array]:
    """Return a picture, and the boxes that are known of it, on the square input."""
    nothing = np.zeros((0, 4), np.int64)
    if Path(image).is_file():
        return decode(Path(image).read_bytes(), image), nothing
    path = benchmark / "manifest.parquet"
    ids: list[str] = []
    if path.is_file():
        manifest = read_manifest(path)
        ids = manifest.image_ids
    if image not in ids:
        raise MmclustError(
            "There is no such picture",
            where=image,
            expected=f"a file, or one of the {len(ids):,} image ids of {benchmark.name}"
            + (f", such as {ids[0]}" if ids else ""),
            found="neither",
        )
    row = ids.index(image)
    rgb = Images(manifest).read(row)
    gold = read_gold(read_objects(benchmark / "objects.parquet"), manifest)
    return rgb, gold.boxes(row, rgb.shape[1], rgb.shape[0], side)


def _panel(rgb: Array) -> Image.Image:
    from PIL import Image

    return Image.fromarray(rgb).resize((EDGE, EDGE), Image.Resampling.BICUBIC)


def _first(rgb: Array, boxes: Sequence[Array], gold: Array, side: int) -> Image.Image:
    from PIL import ImageDraw

    panel = _panel(rgb)
    pen = ImageDraw.Draw(panel)
    for box in gold:
        _rectangle(pen, box, side, GOLD, 1)
    for at, box in enumerate(boxes):
        _rectangle(pen, box, side, COLOURS[at % len(COLOURS)], 3)
    return panel


def _rectangle(
    pen: ImageDraw.ImageDraw,
    box: Array,
    side: int,
    colour: tuple[int, int, int],
    width: int,
) -> None:
    """Draw a box; the inverted one of a flat map is nowhere."""
    if box[0] <= box[2] and box[1] <= box[3]:
        corners = [float(v) * EDGE / side for v in box]
        pen.rectangle(corners, outline=colour, width=width)


def _overlaid(
    rgb: Array, heat: Array, box: Array, colour: tuple[int, int, int]
) -> Image.Image:
    """Lay a heat map over the picture: dark where it is cold."""
    from PIL import Image, ImageDraw

    grey = Image.fromarray((heat.clip(0, 1) * 255).astype(np.uint8))
    warm = np.asarray(grey.resize((EDGE, EDGE)), np.float32)[..., None] / 255
    under = np.asarray(_panel(rgb), np.float32)
    mixed = under * (0.25 + 0.5 * warm) + np.array(colour) * 0.35 * warm
    panel = Image.fromarray(mixed.clip(0, 255).astype(np.uint8))
    _rectangle(ImageDraw.Draw(panel), box, len(heat), colour, 2)
    return panel


def _page(panels: Sequence[Image.Image], titles: Sequence[str]) -> Image.Image:
    """Put panels in rows, each with its title below."""
    from PIL import Image, ImageDraw, ImageFont

    n_columns = min(COLUMNS, len(panels))
    n_rows = -(-len(panels) // n_columns)
    page = Image.new("RGB", (n_columns * EDGE, n_rows * (EDGE + LINE)), "white")
    pen, font = ImageDraw.Draw(page), ImageFont.load_default(14)
    for at, (panel, title) in enumerate(zip(panels, titles, strict=True)):
        x, y = at % n_columns * EDGE, at // n_columns * (EDGE + LINE)
        page.paste(panel, (x, y))
        text = title
        while len(text) > 1 and pen.textlength(text, font) > EDGE - 12:
            text = text[:-2].rstrip(", ") + "…"
        colour = "black" if at == 0 else COLOURS[(at - 1) % len(COLOURS)]
        pen.rectangle([x + 4, y + EDGE + 8, x + 8, y + EDGE + 20], fill=colour)
        pen.text((x + 14, y + EDGE + 4), text, fill="black", font=font)
    return page


MOST = 2
"""Clusters drawn of each picture: with the boxes, one row of panels."""


def write_gallery(
    folder: Path,
    model: Model,
    manifest: Manifest,
    gold: Gold,
    seen: Seen,
    *,
    rows: Array,
    count: int,
    rng: np.random.Generator,
) -> None:
    """Draw pictures chosen by chance among those with an active cluster.

    Writes ``gallery/<n>.jpg`` and ``gallery.json``: for each its ``file``,
    ``image_id`` and the ``clusters`` drawn, with ``cluster``, ``words`` and
    ``output``. ``seen`` is what the first run saw in manifest rows ``rows``.
    """
    lit = rows[np.stack(seen.active).any(axis=1)]
    chosen = np.sort(rng.permutation(lit)[:count])
    network, images = Network(model, 0), Images(manifest)
    listed = []
    for at, row in enumerate(chosen.tolist()):
        rgb = images.read(row)
        boxes = gold.boxes(row, rgb.shape[1], rgb.shape[0], model.size)
        page, drawn = seen_in(network, model, 0, rgb, boxes, most=MOST)
        name = f"gallery/{at}.jpg"
        with writing(folder / name) as temporary:
            page.save(temporary, "JPEG", quality=80)
        clusters = [
            {"cluster": cluster, "words": words, "output": round(output, 4)}
            for cluster, words, output in drawn
        ]
        listed.append(
            {"file": name, "image_id": manifest.image_ids[row], "clusters": clusters}
        )
    write_json(folder / "gallery.json", listed)
