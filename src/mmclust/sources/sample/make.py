"""Draw the whole world and pack it as COCO 2017 is published."""

from __future__ import annotations

import json
import multiprocessing
import zipfile
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from mmclust.core.io import file_digest, write_bytes, writing
from mmclust.core.progress import track
from mmclust.core.seeds import generator
from mmclust.sources.sample.captions import describe
from mmclust.sources.sample.coco import annotate, annotation_files
from mmclust.sources.sample.paint import paint
from mmclust.sources.sample.plan import TRAIN, VAL, Picture, plan
from mmclust.sources.sample.scene import arrange, compose
from mmclust.sources.sample.world import MIN_IMAGES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

JPEG_QUALITY = 85
CHUNK = 32  # pictures handed to a worker at a time
ANNOTATIONS = "annotations_trainval2017.zip"
# Archives carry dates; a fixed one keeps their bytes the same.
DATE = (2017, 9, 1, 0, 0, 0)


@dataclass(frozen=True)
class Drawn:
    """A finished picture and all that is said about it."""

    split: str
    image_id: int
    width: int
    height: int
    jpeg: bytes
    annotations: list[dict[str, Any]]
    captions: list[str]


def make_sample(out: Path, seed: int, workers: int, n_images: int | None = None) -> int:
    """Write the built-in mirror: COCO's three archives and their registry.

    Parameters
    ----------
    out
        The folder; ``coco2017/`` and ``registry.yaml`` are written into it.
    seed
        Another seed draws another world.
    workers
        Processes; any number gives the same bytes.
    n_images
        Draw only so many pictures, for tests; all (about 2,700) by default.

    Returns
    -------
    int
        How many pictures were drawn.

    Raises
    ------
    MmclustError
        When a file cannot be written.
    """
    pictures = plan(seed, n_images)
    drawn = list(track(_draw_all(seed, pictures, workers), "Drawing", len(pictures)))
    members: dict[str, bytes] = {}
    for split in (TRAIN, VAL):
        mine = [d for d in drawn if d.split == split]
        jpegs = {f"{split}/{d.image_id:012d}.jpg": d.jpeg for d in mine}
        write_archive(
            out / "coco2017" / f"{split}.zip", {f"{split}/": b"", **jpegs}, stored=True
        )
        order = generator(seed, "sample", "order", split)
        for name, content in annotation_files(seed, split, mine, order).items():
            members[f"annotations/{name}"] = json.dumps(content).encode()
    write_archive(
        out / "coco2017" / ANNOTATIONS, dict(sorted(members.items())), stored=False
    )
    write_bytes(out / "registry.yaml", registry(out, seed).encode())
    return len(drawn)


def draw(seed: int, picture: Picture) -> Drawn:
    """Draw, annotate and describe one picture; it depends on nothing else.

    Parameters
    ----------
    seed
        Of the sample.
    picture
        Which one.

    Returns
    -------
    Drawn
        With every category of ``picture`` visible and annotated.
    """
    import cv2

    # Processes are the parallelism here; threads inside them would only compete.
    cv2.setNumThreads(1)
    rng = generator(seed, "sample", "scene", picture.image_id)
    scene = compose(rng, picture.wanted)
    annotations = None
    while annotations is None:  # rarely more than once: something hid a category
        painted = paint(rng, scene, arrange(rng, scene))
        annotations = annotate(scene, painted)
    _, jpeg = cv2.imencode(
        ".jpg", painted.rgb[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]
    )
    captions = describe(generator(seed, "sample", "caption", picture.image_id), scene)
    return Drawn(
        picture.split,
        picture.image_id,
        scene.width,
        scene.height,
        jpeg.tobytes(),
        annotations,
        captions,
    )


def _draw_all(seed: int, pictures: Iterable[Picture], workers: int) -> Iterator[Drawn]:
    """Yield the drawn pictures in order."""
    work = partial(draw, seed)
    if workers <= 1:
        yield from map(work, pictures)
        return
    # Spawned, not forked: OpenCV's threads do not survive a fork.
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=spawn) as pool:
        yield from pool.map(work, pictures, chunksize=CHUNK)


def write_archive(path: Path, members: dict[str, bytes], *, stored: bool) -> None:
    """Write a zip whose bytes depend on its members alone.

    Parameters
    ----------
    path
        The archive.
    members
        Contents by name, in the order they are written.
    stored
        Leave members uncompressed, as COCO does with images.
    """
    method = zipfile.ZIP_STORED if stored else zipfile.ZIP_DEFLATED
    with writing(path) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        for name, content in members.items():
            info = zipfile.ZipInfo(name, DATE)
            info.create_system = 3  # Unix, whatever system this is
            info.external_attr = (0o40755 if name.endswith("/") else 0o100644) << 16
            archive.writestr(info, content, method)


def registry(out: Path, seed: int) -> str:
    """Return the mirror's registry: what the files must be, and what is smaller.

    Parameters
    ----------
    out
        The folder that holds ``coco2017/``.
    seed
        Named in the first line.

    Returns
    -------
    str
        YAML, in the form of the registry of sources.
    """
    names = (f"{TRAIN}.zip", f"{VAL}.zip", ANNOTATIONS)
    paths = [out / "coco2017" / name for name in names]
    files = "".join(
        f"    {path.name}:\n"
        f"      size: {path.stat().st_size}\n"
        f"      sha256: {file_digest(path)}\n"
        f"      url: coco2017/{path.name}\n"
        for path in paths
    )
    return (
        f"# The built-in mirror. Drawn by `mmclust sample`, seed {seed}; "
        "no photograph, no human caption.\n"
        "coco2017:\n"
        f"  protocol: {{coco_all.min_images: {MIN_IMAGES}}}\n"
        f"  files:\n{files}"
    )
