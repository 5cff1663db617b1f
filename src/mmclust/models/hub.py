"""Checkpoints and files of weights: where they are, what they are, if missing.

A revision that is in the hub's cache is taken from there without asking the network.
Nothing that lies in a file of ``torch.save`` is run.
"""

from __future__ import annotations

import contextlib
import difflib
import gc
import re
import warnings
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, TypeVar, cast

from mmclust.core.errors import MmclustError, some
from mmclust.core.fingerprint import digests
from mmclust.core.io import digest_of, require_file
from mmclust.core.weights import parameters, stored_size
from mmclust.models.compute import is_compiled
from mmclust.models.packaged import PREFIX, unpacked

if TYPE_CHECKING:
    from collections.abc import (
        Callable,
        Collection,
        Iterable,
        Iterator,
        Mapping,
        Sequence,
    )

Load = TypeVar("Load", bound="Callable[..., Any]")

SIZES = {
    "openai/clip-vit-base-patch32": "605 MB",
    "openai/clip-vit-large-patch14": "1.7 GB",
    "facebook/dinov2-base": "346 MB",
    "timm/vit_base_patch16_224.augreg2_in21k_ft_in1k": "346 MB",
    "Salesforce/blip-image-captioning-base": "990 MB",
    "Salesforce/blip-vqa-base": "1.5 GB",
    "sentence-transformers/all-mpnet-base-v2": "438 MB",
    "sentence-transformers/all-MiniLM-L6-v2": "91 MB",
}
"""What is downloaded, about; for the message when it cannot be."""
SMALL = (".json", ".txt", ".model")
KEPT = 4
"""Models of a kind that stay loaded: a fusion of four reads each picture by all."""
HIDDEN = (".cache", ".git")
"""What `hf download` and git leave in a folder."""
SAFE, PICKLED = "*.safetensors", "*pytorch_model*.bin"
"""Files of weights; trainers leave others that end in .bin, which nothing loads."""
_NAMED = re.compile(r"GLOBAL ([\w.]+)")


@lru_cache(maxsize=16)
def checkpoint(model: str, revision: str) -> Path:
    """Return the folder of a checkpoint, downloading it if need be.

    ``model`` is a hub id such as ``openai/clip-vit-base-patch32`` at ``revision``, a
    commit, tag or branch; a folder, which has none; or ``package:`` and the name of an
    installed package that carries it. What is neither here nor
    downloadable is refused with its size and the command that fetches it.
    """
    if model.startswith(PREFIX):
        return unpacked(model.removeprefix(PREFIX))
    folder = Path(model).expanduser()
    if folder.is_dir() or model.startswith((".", "/", "~")):
        if not _weights(folder):
            raise MmclustError(
                "A folder holds no checkpoint",
                where=folder,
                expected="config.json and *.safetensors, as save_pretrained writes",
                found="no weights" if folder.is_dir() else "no such folder",
                do="correct model in params.yaml",
            )
        return folder
    return _cached(model, revision) or _downloaded(model, revision)


def is_here(model: str, revision: str) -> bool:
    """Tell whether a checkpoint can be had without the network."""
    return _cached(model, revision) is not None


def torch_cache() -> Path:
    """Return the folder where torchvision keeps its weights."""
    import torch

    return Path(torch.hub.get_dir()) / "checkpoints"


def _cached(model: str, revision: str) -> Path | None:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    with contextlib.suppress(LocalEntryNotFoundError):
        cached = Path(
            snapshot_download(model, revision=revision, local_files_only=True)
        )
        if _weights(cached):
            return cached
    return None


def _downloaded(model: str, revision: str) -> Path:
    from huggingface_hub import HfApi, snapshot_download
    from huggingface_hub.constants import HF_HUB_OFFLINE

    if HF_HUB_OFFLINE:
        raise missing(model, revision, "HF_HUB_OFFLINE is set")
    try:
        # Asked first, because it does not retry for half a minute without network.
        info = HfApi().model_info(model, revision=revision, timeout=20)
        files = _needed(file.rfilename for file in info.siblings or [])
        return Path(snapshot_download(model, revision=revision, allow_patterns=files))
    except Exception as error:  # of whichever HTTP library the hub client uses
        raise missing(model, revision, str(error).splitlines()[0]) from error


def _needed(files: Iterable[str]) -> list[str]:
    """Choose what loading needs: safetensors, or the pickled weights in their place.

    A module of sentence-transformers has a folder, and each folder weights of a kind.
    """
    paths = [PurePosixPath(file) for file in files]
    paths = [p for p in paths if p.parts[0] not in {"onnx", "openvino"}]
    safe = {p.parent for p in paths if p.match(SAFE)}
    kind = {p: SAFE if p.parent in safe else PICKLED for p in paths}
    return [str(p) for p in paths if p.suffix in SMALL or p.match(kind[p])]


def _weights(folder: Path) -> list[Path]:
    """Return the weights in a folder: safetensors, else torch's own."""
    return sorted(folder.glob(SAFE)) or sorted(folder.glob(PICKLED))


def _files(folder: Path) -> list[Path]:
    """Return all files that loading reads: weights, tokenizer, configuration."""
    found = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    names = (str(path) for path in found if path.parts[0] not in HIDDEN)
    return [folder / name for name in sorted(_needed(names))]


Stamp = tuple[tuple[str, int, int, int], ...]


def stamp(paths: Iterable[Path]) -> Stamp:
    """Return what changes when a file is written or replaced; none is read."""
    stats = [(str(path), path.stat()) for path in paths]
    return tuple((p, s.st_ino, s.st_size, s.st_ctime_ns) for p, s in stats)


def checkpoint_stamp(model: str, revision: str) -> Stamp:
    """Return a checkpoint's :func:`stamp`."""
    return stamp(_files(checkpoint(model, revision)))


def kept(files: Callable[..., Stamp]) -> Callable[[Load], Load]:
    """Keep the last :data:`KEPT` things a function loads, until their files change.

    ``files`` gives their :func:`stamp` for the same arguments.
    """

    def decorate(load: Load) -> Load:
        @lru_cache(maxsize=KEPT)
        def loaded(_: object, *arguments: Any) -> Any:
            # All that libraries and models are made of stays: looking for garbage
            # among it would take a fifth of the time.
            collects = gc.isenabled()
            gc.disable()
            try:
                return load(*arguments)
            finally:
                if collects:
                    gc.enable()

        def run(*arguments: Any) -> Any:
            # A device that compiles is equal to one that does not.
            flags = [is_compiled(each) for each in arguments if isinstance(each, str)]
            return loaded((files(*arguments), *flags), *arguments)

        return cast("Load", run)

    return decorate


def missing(model: str, revision: str, found: object) -> MmclustError:
    """Return the error that says which weights are missing and how to get them."""
    size = SIZES.get(model)
    return MmclustError(
        f"The weights of {model} are not here and cannot be downloaded",
        where=f"revision {revision}",
        expected="in the cache of the hub, or downloadable"
        + (f" (about {size})" if size else ""),
        found=found,
        do="where there is a network, run "
        f"`hf download {model} --revision {revision}`; if that is another machine, "
        "copy the folder it prints and give it as model",
    )


def identity(model: str, revision: str) -> dict[str, Any]:
    """Return a checkpoint's id, commit and digests, for ``features.json``.

    ``revision`` is the commit that was meant (``local`` for a folder); ``weights`` a
    sha256 of the weight files, ``files`` one of these with tokenizer and
    configuration; beside them the weights' size.
    """
    folder = checkpoint(model, revision)
    commit = folder.name if folder.parent.name == "snapshots" else "local"
    found = {
        Path(path).relative_to(folder).as_posix(): digest
        for path, digest in digests(_files(folder)).items()
    }
    weights = [name for name in found if name.endswith((".safetensors", ".bin"))]
    return {
        "model": model,
        "revision": commit,
        "weights": digest_of({name: found[name] for name in weights}),
        "files": digest_of(found),
        **size_of([folder / name for name in weights]),
    }


def size_of(paths: Sequence[Path]) -> dict[str, int]:
    """Return ``parameters`` and ``bytes`` of weight files, of layers not used, too."""
    pickled = [path for path in paths if path.suffix != ".safetensors"]
    size = stored_size(path for path in paths if path not in pickled)
    shapes: dict[str, tuple[Sequence[int], bool]] = {}
    seen = set()
    for path in pickled:
        import torch

        with loading(str(path)):
            state = torch.load(path, map_location="cpu", weights_only=True)
            for name, part in state.items():
                place = (path, part.data_ptr(), part.shape)
                if place not in seen:  # tied weights are stored once
                    shapes[f"{path}.{name}"] = part.shape, part.is_floating_point()
                    seen.add(place)
        size["bytes"] += path.stat().st_size
    size["parameters"] += parameters(shapes)
    return size


@contextlib.contextmanager
def loading(what: str) -> Iterator[None]:
    """Turn what libraries raise for a damaged or unfit checkpoint into one error."""
    import pickle

    from safetensors import SafetensorError
    from transformers.utils import logging

    logging.disable_progress_bar()  # the project shows its own
    try:
        yield
    except (
        OSError, ValueError, KeyError, RuntimeError, TypeError, AttributeError,
        SafetensorError, pickle.UnpicklingError, EOFError, RecursionError,
    ) as error:  # fmt: skip
        raise MmclustError(
            f"The checkpoint {what} cannot be loaded",
            found=reason(error),
            do="give the checkpoint of a model of this kind; if it was copied or "
            "downloaded, do that again",
        ) from error


def from_pretrained(kind: Any, folder: Path) -> Any:
    """Load a transformers model of a class, on the CPU, float32, for inference.

    Weights that the checkpoint lacks are refused: transformers would draw them at
    random.
    """
    import torch

    with loading(str(folder)):
        model, info = kind.from_pretrained(
            folder, local_files_only=True, output_loading_info=True, dtype=torch.float32
        )
    lacking = [*info["missing_keys"], *(key[0] for key in info["mismatched_keys"])]
    if lacking:
        raise MmclustError(
            f"A checkpoint lacks weights of {type(model).__name__}",
            where=folder,
            found=misnamed(lacking, info["unexpected_keys"])
            or f"none that fit {some(sorted(lacking), 3)}",
            do="give the checkpoint of a model of this kind",
        )
    return model.eval()


def misnamed(missing: Collection[str], unknown: Collection[str]) -> str:
    """Say what stands where weights are missing: those of another code base; or ``""``.

    The same network is called ``_conv_stem`` by one library and ``conv_stem`` by
    another.
    """
    for name in sorted(missing):
        if near := difflib.get_close_matches(name, sorted(unknown), n=1, cutoff=0.7):
            return (
                f"weights of another code base: {near[0]} where the model has {name}; "
                f"{len(missing):,} of its names are missing, and {len(unknown):,} are "
                "not its own"
            )
    return ""


def load_torch(path: Path, stand_ins: Mapping[str, type] | None = None) -> Any:
    """Read tensors, numbers, text, lists and dictionaries that ``torch.save`` wrote.

    ``stand_ins`` names foreign classes in full, and the inert class that takes the
    place of each: its instances get the saved attributes and nothing else happens. A
    file that asks for any other class or function is refused; nothing in it was
    called.
    """
    import pickle

    import torch

    allowed: list[Any] = [(kind, name) for name, kind in (stand_ins or {}).items()]
    require_file(path)
    try:
        with torch.serialization.safe_globals(allowed), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what is odd is an error, or is harmless
            return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        named = _NAMED.search(str(error))
        if named is None:
            raise _damaged(path, error) from error
        raise MmclustError(
            "A file asks for code that is not run",
            where=path,
            expected="tensors, numbers and text"
            + "".join(f", and {name}" for name in stand_ins or {}),
            found=named[1],
            do="take the file from its publisher; nothing in it was run",
        ) from error
    except (
        OSError, RuntimeError, ValueError, EOFError, KeyError, IndexError, TypeError,
        AttributeError, AssertionError, RecursionError,
    ) as error:  # fmt: skip
        raise _damaged(path, error) from error


def reason(error: Exception) -> str:
    """Return why torch did not load a file, without its advice to load it unsafely."""
    text = str(error)
    if "eights_only" in text or "Weights only" in text:
        named = _NAMED.search(text)
        more = f"it asks for {named[1]}" if named else "it is not of this kind"
        return f"tensors, numbers and text alone are loaded, and {more}"
    return text.strip().partition("\n")[0][:300] or type(error).__name__


def _damaged(path: Path, error: Exception) -> MmclustError:
    return MmclustError(
        f"{path.name} is not a readable file of torch.save",
        where=path,
        found=reason(error),
        do="copy or download it again",
    )
