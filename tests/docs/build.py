"""Building the docs site, as scripts/docs does."""

import os
import subprocess
import sys

CONFIG = "docs/site/mkdocs.yml"


def mkdocs(root, out):
    environment = os.environ | {"NO_MKDOCS_2_WARNING": "1"}
    return subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict",
         "--config-file", str(root / CONFIG), "--site-dir", str(out)],
        env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
