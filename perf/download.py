"""A 1 GiB download over loopback, hashed on the way, against curl then sha256sum.

The claim: at least 1.3 of the speed. Server and client share the machine's cores.

    PYTHONPATH=src:. python perf/download.py
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

from mmclust.sources.fetch import fetch_source
from mmclust.sources.http_request import Network

SIZE = 1 << 30
BLOCK = os.urandom(1 << 20)
SERVER = (
    "import functools, http.server as h; "
    "h.ThreadingHTTPServer(('127.0.0.1', {port}), functools.partial("
    "h.SimpleHTTPRequestHandler, directory={folder!r})).serve_forever()"
)
PORT = 18_473


def main() -> None:
    os.environ["NO_PROXY"] = "127.0.0.1"
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        with (folder / "one.bin").open("wb") as file:
            for _ in range(SIZE // len(BLOCK)):
                file.write(BLOCK)
        digest = sha256(folder / "one.bin")
        code = SERVER.format(port=PORT, folder=str(folder))
        server = subprocess.Popen(
            ["python3", "-c", code],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            time.sleep(1)
            measure(folder, digest)
        finally:
            server.kill()
            server.wait()


def measure(folder: Path, digest: str) -> None:
    url = f"http://127.0.0.1:{PORT}/one.bin"
    start = time.perf_counter()
    subprocess.run(["curl", "-s", "-o", folder / "two.bin", url], check=True)
    assert sha256(folder / "two.bin") == digest
    rival = time.perf_counter() - start
    (folder / "two.bin").unlink()
    (folder / "data").mkdir()
    (folder / "data/sources.yaml").write_text(
        f"one: {{files: {{one.bin: {{url: '{url}', size: {SIZE}, sha256: {digest}}}}}}}"
    )
    start = time.perf_counter()
    fetch_source(
        "one",
        mirror="upstream",
        out=folder / "out",
        root=folder,
        network=Network(connections=1),
    )
    ours = time.perf_counter() - start
    shutil.rmtree(folder / "out")
    print(f"curl, then sha256sum  {SIZE / rival / 1e6:7.0f} MB/s  {rival:.2f} s")
    print(f"mmclust               {SIZE / ours / 1e6:7.0f} MB/s  {ours:.2f} s")
    print(f"ratio                 {rival / ours:7.2f}  (claimed: at least 1.3)")


def sha256(path: Path) -> str:
    done = subprocess.run(
        ["sha256sum", path], check=True, capture_output=True, text=True
    )
    return done.stdout.split()[0]


if __name__ == "__main__":
    main()
