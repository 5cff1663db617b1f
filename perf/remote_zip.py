"""1,000 of 20,000 members of a remote zip over loopback: bytes and requests.

The claims: bytes on the wire under 1.1 of the members' own, also when they lie
scattered; requests under half their number when they are neighbours.

    PYTHONPATH=src:. python perf/remote_zip.py
"""

from __future__ import annotations

import os
import random
import tempfile
import time
import zipfile
from pathlib import Path

from mmclust.sources.fetch import Choice, fetch_source
from mmclust.sources.http_request import Network
from tests.faults.files import serving_files

N_MEMBERS, N_WANTED, SIZE = 20_000, 1_000, 40_000


def main() -> None:
    os.environ["NO_PROXY"] = "127.0.0.1"
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        block = os.urandom(2 * SIZE)
        (folder / "site").mkdir()
        with zipfile.ZipFile(folder / "site/p.zip", "w") as archive:
            for i in range(N_MEMBERS):
                start = i % SIZE
                data = b"\xff\xd8" + block[start : start + SIZE]
                archive.writestr(f"p/{i:012d}.jpg", data)
        start = N_MEMBERS // 3
        measure(folder, "neighbours", range(start, start + N_WANTED))
        measure(
            folder, "scattered", random.Random(0).sample(range(N_MEMBERS), N_WANTED)
        )


def measure(folder: Path, what: str, numbers: range | list[int]) -> None:
    names = [f"p/{i:012d}.jpg" for i in numbers]
    (folder / "data").mkdir(exist_ok=True)
    with serving_files(folder / "site") as (server, url):
        (folder / "data/sources.yaml").write_text(
            "one: {files: {p.zip: {optional: true, contains: {'p/*.jpg': 20000}, "
            f"url: '{url}/p.zip'}}}}}}"
        )
        start = time.perf_counter()
        fetch_source(
            "one",
            mirror="upstream",
            out=folder / what,
            root=folder,
            network=Network(),
            choice=Choice((), lambda _: names),
        )
        seconds = time.perf_counter() - start
        n_requests = sum(server.requests.values())
        own = len(names) * (SIZE + 2)
        print(
            f"{what:<11} bytes {server.sent / own:.3f} of the members' own (claimed: "
            f"under 1.1), {n_requests} requests for {len(names)} members "
            f"({n_requests / len(names):.3f}), {seconds:.1f} s"
        )


if __name__ == "__main__":
    main()
