"""The files "of one's own" that commands of the docs name."""

import json
import shutil

import numpy as np
from PIL import Image

N, K = 520, 10


def make_files(root):
    """Write them into a clone that holds the built-in sample's raw files."""
    rng = np.random.default_rng(0)
    classes = np.arange(N) % K
    for name, width in (("x", 32), ("y", 24), ("u", 32)):
        centres = rng.normal(size=(K, width))
        rows = centres[classes] + 0.3 * rng.normal(size=(N, width))
        np.save(root / f"{name}.npy", rows.astype(np.float32))
    np.save(root / "new.npy", np.load(root / "x.npy")[:20])
    np.save(root / "t.npy", rng.normal(size=(300, 32)).astype(np.float32))
    (root / "words.txt").write_text("".join(f"noun{i}\n" for i in range(300)))
    write(root / "labels.csv", "image_id,label", enumerate(classes))
    write(root / "mine.csv", "image_id,cluster", enumerate(classes))
    write(root / "theirs.csv", "image_id,cluster", enumerate(rng.permutation(classes)))
    make_pictures(root, rng)
    make_words(root)
    make_pool(root, rng)


def write(path, header, rows):
    lines = [header, *(",".join(map(str, row)) for row in rows)]
    path.write_text("\n".join(lines) + "\n")


def make_pictures(root, rng):
    for i in range(12):
        folder = root / "my_pictures" / ("cats", "dogs", "birds")[i % 3]
        folder.mkdir(parents=True, exist_ok=True)
        picture = Image.fromarray(rng.integers(0, 255, (64, 64, 3), dtype=np.uint8))
        picture.save(folder / f"{i}.jpg")
        picture.save(root / "holiday.jpg")


def make_words(root):
    norms = root / "data/raw/norms"
    shutil.copy(norms / "mcrae_typicality.yaml", root / "typicality.yaml")
    shutil.copy(norms / "swow.en.csv", root / "swow.en.csv")
    ratings = norms / "Concreteness_ratings_Brysbaert_et_al_BRM.txt"
    shutil.copy(ratings, root / "concreteness.txt")
    words = [line.split("\t")[0] for line in ratings.read_text().splitlines()[1:]]
    known = [(word, i % 5, i % 7 / 7) for i, word in enumerate(words)]
    write(root / "words.csv", "word,cluster,concreteness", known)
    write(root / "counts.csv", "word,count", ((word, 20) for word in words))
    (root / "vocabulary.txt").write_text("".join(f"{word}\n" for word in words))


def make_pool(root, rng):
    """Embeddings of the images and captions of MSCOCO-FG's sample."""
    raw = root / "data/raw/fine_grained"
    shutil.copytree(raw, root / "fg_files")
    captions = json.loads((raw / "MSCOCO_FG_ann.json").read_text())
    images = np.load(raw / "MSCOCO_FG_img_filenames.npy").tolist()
    of = [
        f"{image}#{i}" for image, texts in captions.items() for i in range(len(texts))
    ]
    for name, ids in (("images", images), ("captions", of)):
        (root / f"{name}.txt").write_text("".join(f"{each}\n" for each in ids))
        rows = rng.normal(size=(len(ids), 8)).astype(np.float32)
        np.save(root / f"{name}.npy", rows)
