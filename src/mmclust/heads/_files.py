"""Heads on embeddings and pictures of one's own, from file to file."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from mmclust.core.errors import MmclustError
from mmclust.core.images import decode
from mmclust.core.io import file_digest, read_ids, read_lines, require_file, write_csv
from mmclust.core.params import NounsParams
from mmclust.core.plugins import IS, instance_of, refuse_options
from mmclust.core.progress import track
from mmclust.core.seeds import derive
from mmclust.core.types import Batch, Fitted, HeadInputs
from mmclust.heads._embeddings import read_fitted, require_maker
from mmclust.heads._inputs import given_nouns, read_spaces
from mmclust.heads._rows import read_rows, require_same_space, unit_rows
from mmclust.heads._saved import (
    Prediction,
    assigned,
    is_trained,
    load_head,
    save_head,
    write_curves,
)
from mmclust.heads._stage import run_head
from mmclust.kernels.nearest_centroids import nearest_centroids

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path
    from types import ModuleType

BLOCK = 256
"""Pictures decoded and encoded at once."""


def head_on_files(
    head: str,
    image_features: Sequence[Path],
    text_features: Path | None = None,
    *,
    k: int,
    out: Path,
    test_image_features: Sequence[Path] = (),
    nouns_features: Sequence[Path] = (),
    words: Path | None = None,
    nouns: NounsParams | None = None,
    ids: Path | None = None,
    seed: int = 0,
    options: dict[str, Any] | None = None,
    save: Path | None = None,
    device: str = "cpu",
) -> list[int]:
    """Fit a head and write ``image_id,cluster`` (and ``confidence``, if it has one).

    ``image_features`` are several arrays for a head that reads several encoders; the
    first is in the space of the counterparts and nouns.
    """
    refuse_options(options or {}, ("evaluate_on", "encoders"), "the files say it")
    method = instance_of("heads", head, options, "", "--set")
    module, params = method.module, method.options
    if not is_trained(module) and (test_image_features or save is not None):
        raise MmclustError(
            f"{head} clusters the images it is given; it has nothing to save",
            where="--test-features, --save",
            expected="a head that is trained, such as tac",
            found=head,
            do="leave these options out",
        )
    given = {
        "--features": len(image_features),
        "--test-features": len(test_image_features),
        "--text-features": int(text_features is not None),
        "--nouns-features": len(nouns_features),
        "--words": int(words is not None),
    }
    _require_files(module, head, given)
    inputs = _inputs_of(module, image_features, text_features)
    if words is not None:
        vocabulary = given_nouns(
            words, nouns_features, inputs.image, k, nouns or NounsParams(),
            seed=derive(seed, "nouns"), device=device,
        )  # fmt: skip
        inputs = replace(inputs, nouns=vocabulary)
    test = inputs
    if test_image_features:
        test = _inputs_of(module, test_image_features, None)
        for one, other in zip(_arrays(inputs), _arrays(test), strict=True):
            require_same_space(one.shape[1], other.shape[1], "test images")
    names = read_ids(ids, len(test))
    seeds = [derive(seed, "head", head)]
    trained, (labels,), confidence = run_head(
        module, params, inputs, test, k, seeds, [device]
    )
    if save is not None:
        facts: dict[str, Any] = {
            "head": head,
            "encoder": None,
            "k": 0 if getattr(params, "k_grid", ()) else k,
            "dim": int(_arrays(inputs)[0].shape[1]),
            "seed": seed,
            "fitted_on": len(inputs),
            "params": asdict(params),
        }
        if inputs.spaces:
            dims = [int(rows.shape[1]) for rows in inputs.spaces]
            facts["spaces"] = [{"encoder": None, "dim": dim} for dim in dims]
        save_head(save, trained, facts)
        write_curves(save / "loss.csv", trained)
    sure = None if confidence is None else confidence[0]
    write_assignments(out, names, labels, sure)
    return [int(size) for size in np.unique(labels, return_counts=True)[1]]


def _require_files(module: ModuleType, head: str, given: Mapping[str, int]) -> None:
    """Refuse files that a head does not read, and the lack of those that it does."""
    text, nouns = (int(what in module.READS) for what in ("text", "nouns"))
    images, test = given["--features"], given["--test-features"]
    for option, least, most in (
        ("--features", 1, images if hasattr(module.Params, "encoders") else 1),
        ("--test-features", images if test else 0, images),
        ("--text-features", text, text),
        ("--nouns-features", nouns, nouns * given["--nouns-features"]),
        ("--words", nouns, nouns),
    ):
        if least <= given[option] <= most:
            continue
        few = given[option] < least
        arrays = {0: "no", 1: "one array of"}.get(most, f"{most} arrays of")
        raise MmclustError(
            f"{head} {'needs' if few else f'reads {arrays}'} {option}",
            where=option,
            expected=least if few else most,
            found=given[option],
            do="see `mmclust fit --help`",
        )


def _inputs_of(
    module: ModuleType, image_features: Sequence[Path], text_features: Path | None
) -> HeadInputs:
    """Read what a head asks for of one's own images."""
    image = text = None
    if not {"image", "nouns", "text"}.isdisjoint(module.READS):
        image = read_rows(image_features[0])
    if "text" in module.READS and text_features is not None and image is not None:
        text = read_rows(text_features, len(image))
        require_same_space(image.shape[1], text.shape[1], "text counterparts")
    spaces = read_spaces(image_features) if "spaces" in module.READS else ()
    return HeadInputs(image, text, spaces)


def _arrays(inputs: HeadInputs) -> list[np.ndarray[Any, Any]]:
    return [*([] if inputs.image is None else [inputs.image]), *inputs.spaces]


def write_assignments(
    out: Path,
    ids: list[str],
    labels: np.ndarray[Any, Any],
    confidence: np.ndarray[Any, Any] | None,
    names: list[list[str]] | None = None,
) -> None:
    """Write ``image_id``, ``cluster`` and, where known, ``confidence`` and ``name``."""
    head = ["image_id", "cluster"]
    columns: list[list[Any]] = [ids, labels.tolist()]
    if confidence is not None:
        head.append("confidence")
        columns.append([f"{share:.6f}" for share in confidence.tolist()])
    if names:
        head.append("name")
        columns.append([", ".join(names[label]) for label in labels.tolist()])
    write_csv(out, [head, *zip(*columns, strict=True)])


def zero_shot(
    image_features: Path,
    text_features: Path,
    names: Path,
    *,
    out: Path,
    ids: Path | None = None,
) -> list[int]:
    """Assign each image to the class whose name is nearest: an upper reference.

    It is told the classes' names, which no clustering method is, so it is no rival
    of theirs. By hand only: no stage of the pipeline may see names.
    """
    image = read_rows(image_features)
    classes = read_lines(names, "give one class name per line")
    text = read_rows(text_features, len(classes))
    require_same_space(image.shape[1], text.shape[1], "class names")
    labels = nearest_centroids(image, text, spherical=True)
    write_assignments(
        out, read_ids(ids, len(image)), labels, None, [[name] for name in classes]
    )
    return [int(size) for size in np.unique(labels, return_counts=True)[1]]


def assign_images(
    pictures: Sequence[Path],
    head: Path,
    *,
    seed: int = 0,
    features: Sequence[Path] = (),
    device: str = "cpu",
) -> tuple[Prediction, list[list[str]]]:
    """Assign pictures, or their features, to the clusters of a trained head."""
    weights, facts = load_head(head, seed)
    block = dict(facts.get("params") or {})
    block |= {IS: facts[IS]} if IS in facts else {}
    method = instance_of("heads", facts["head"], block, "params", "head.json")
    module, params = method.module, method.options
    spaces = facts.get("spaces") or []
    made = spaces or [facts]
    if len(features) not in (0, len(made)):
        raise MmclustError(
            "The head reads the features of another number of encoders",
            where=head,
            expected=f"{len(made)} arrays",
            found=len(features),
            do="give --features once for each encoder, in the head's order",
        )
    if features:
        rows = [*read_spaces(features)]
    elif made[0]["encoder"] is None:
        raise MmclustError(
            "This head was trained on embeddings of your own",
            where=head,
            expected="embeddings from the same encoder",
            found="pictures",
            do="encode them, and give the array with --features",
        )
    else:
        rows = [encode_pictures(pictures, head, facts | each, device) for each in made]
    for each, array in zip(made, rows, strict=True):
        require_same_space(each["dim"], array.shape[1], "the head")
    image = None
    if "image" in module.READS:
        image = read_rows(features[0]) if features else unit_rows(rows[0], pictures[0])
    inputs = HeadInputs(image, None, tuple(rows) if spaces else ())
    names = facts.get("names") or [[]]
    found = assigned(module, weights, inputs, params, device=device)
    return found, names[min(seed, len(names) - 1)]


def encode_pictures(
    pictures: Sequence[Path], head: Path, facts: dict[str, Any], device: str
) -> np.ndarray[Any, Any]:
    """Encode pictures as the benchmark's were: float32 (n, d)."""
    name = facts["encoder"]
    block = facts["encoder_params"]
    if "encoder_is" in facts:
        block = {IS: facts["encoder_is"], **block}
    instance = instance_of("encoders", name, block, f"encoders.{name}")
    module, params = instance.module, instance.options
    trained = f"train it again: mmclust head {facts['benchmark']} {facts['head']}"
    again = facts.get("again", trained)
    made = {"params": facts["encoder_params"], "model": facts["model"]}
    require_maker(instance, made, "The head's images", head, again)
    fitted = _fitted(head, facts, again)
    encode = getattr(module, "encode_image", None)
    blocks = []
    starts = range(0, len(pictures), BLOCK)
    for start in track(starts, "pictures", len(starts), "blocks"):
        paths = pictures[start : start + BLOCK]
        ready = np.stack([module.prepare(_decoded(path), params) for path in paths])
        batch = Batch([str(p) for p in paths], [()] * len(paths), ready)
        blocks.append(
            ready if encode is None else encode(batch, params, fitted, device=device)
        )
    return np.concatenate(blocks)


def _decoded(path: Path) -> np.ndarray[Any, Any]:
    """Decode a picture of the user's own, which no publisher can mend."""
    data = require_file(path, "give image files").read_bytes()
    try:
        return decode(data, str(path))
    except MmclustError as error:
        raise MmclustError(
            "A picture cannot be opened",
            where=path,
            found=error.parts["found"],
            do="leave it out, or save it again",
        ) from error


def _fitted(head: Path, facts: dict[str, Any], again: str) -> Fitted:
    """Return what the head's encoder learned, if it is still what it was."""
    folder, learned = head / facts["features"], facts["fitted"]
    if not learned:
        return Fitted()
    for name, digest in learned.items():
        path = folder / name
        encode = f"encode again: mmclust encode {facts['benchmark']} {facts['encoder']}"
        found = file_digest(require_file(path, facts.get("again", encode)))
        if found != digest:
            raise MmclustError(
                "The head was trained on another fit of its encoder",
                where=path,
                expected=f"sha256 {digest}",
                found=f"sha256 {found}",
                do=again,
            )
    return read_fitted(folder)
