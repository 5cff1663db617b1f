"""The page that `dvc plots show` and `dvc plots diff` fill, without a network.

DVC's own page loads its scripts from a content delivery network. This one
carries them, so it is 1 MB of generated text: made at set-up, not kept in git.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mmclust.core.errors import MmclustError
from mmclust.core.io import write_bytes

if TYPE_CHECKING:
    from pathlib import Path

VEGA_LITE = "6.4"
"""vl-convert bundles it with Vega 6, whatever version is asked for."""

GLOBALS = "window.vegaEmbed = vegaEmbed;"
"""What DVC's plots call."""

PLACEHOLDERS = ("{scripts}", "{plot_divs}", "{refresh_tag}")
"""What DVC replaces, wherever it stands. ``{scripts}`` (the network) is unused."""

_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
{refresh_tag}
<title>mmclust plots</title>
<link rel="icon" href="data:,">
<script>%s</script>
<style>
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem; background: #fff; }
body > div { display: inline-block; vertical-align: top; margin: 0 2rem 2rem 0; }
img { max-width: 100%%; }
</style>
</head>
<body>
{plot_divs}
</body>
</html>
"""


def write_plots_page(path: Path) -> None:
    """Write the page to give DVC as ``plots.html_template``.

    Parameters
    ----------
    path
        ``.dvc/plots_page.html``; DVC reads the option relative to ``.dvc``.

    Raises
    ------
    MmclustError
        When the installed Vega bundle holds text that DVC would replace or that
        would end the script early.
    """
    import vl_convert

    bundle = vl_convert.javascript_bundle(GLOBALS, vl_version=VEGA_LITE)
    bad = [text for text in (*PLACEHOLDERS, "</script", "<!--") if text in bundle]
    if bad:
        raise MmclustError(
            "The Vega bundle of vl-convert cannot stand in a page",
            where="vl_convert.javascript_bundle",
            expected="a script without DVC's placeholders and closing tags",
            found=", ".join(bad),
            do="install the version of vl-convert-python that requirements.lock names",
        )
    write_bytes(path, (_PAGE % bundle).encode())
