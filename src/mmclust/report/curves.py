"""Charts in Vega-Lite: drawn on the page from DVC's templates, and DVC's own page.

A template of ``.dvc/plots`` draws one curve for ``dvc plots`` and for the page. DVC's
page loads its scripts from a content delivery network; :func:`write_plots_page` makes
one that carries them. It is 1 MB of generated text: made at set-up, not kept in git.
"""

from __future__ import annotations

import hashlib
import json
import re
from typing import TYPE_CHECKING, Any

from mmclust.core.errors import MmclustError
from mmclust.core.io import read_json, write_bytes

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

TEMPLATES = ".dvc/plots"
INK, SOFT, LINE = "#1f2528", "#5d676c", "#e0e3e4"
COLOURS = {"#c2670a": "image", "#3f6fb5": "text", "#0f8a6d": "concat",
           INK: "ink", SOFT: "soft", LINE: "line"}  # fmt: skip
"""Colours that the page has names for, which change in the dark."""
VIEWS = dict(zip(("image", "text", "image + text"), COLOURS, strict=False))
MARK = re.compile(
    r'<path aria-label="([^"]*)"((?:(?!/>|></path>).)*graphics-symbol'
    r"(?:(?!/>|></path>).)*)(?:/>|></path>)"
)
ONE = ("rev", "file", "pool_name", "row_name")
"""Facets of which a picture on the page has one."""
CONFIG: dict[str, Any] = {
    "background": "transparent",
    "font": "Liberation Sans",
    "view": {"stroke": LINE},
    "range": {"category": list(COLOURS)[:3]},
    "axis": {"gridColor": LINE, "domainColor": SOFT, "tickColor": SOFT,
             "labelColor": SOFT, "titleColor": SOFT, "titleFontWeight": "normal"},
    "header": {"labelColor": INK, "labelFontWeight": "bold"},
    "legend": {"orient": "top", "labelColor": INK, "titleColor": SOFT},
    "line": {"color": next(iter(COLOURS))},
    "point": {"color": next(iter(COLOURS))},
    "bar": {"color": next(iter(COLOURS))},
}  # fmt: skip


def draw(
    root: Path,
    template: str,
    rows: Sequence[Mapping[str, Any]],
    x: str,
    y: str,
    **change: Any,
) -> str:
    """Draw rows by one of DVC's templates, as an SVG for the page.

    The same rows give the same bytes: text is measured in one font that vl-convert
    carries, and nothing in the picture is a time or a random name.
    """
    path = root / TEMPLATES / f"{template}.json"
    if not rows or not path.is_file():
        return ""
    words = {"TITLE": "", "X": x, "Y": y, "X_LABEL": x, "Y_LABEL": y.replace("_", " ")}
    spec = _filled(read_json(path), words)
    # No revision is told apart here, and files are named by the page around.
    spec["data"] = {"values": [{"rev": "", **row} for row in rows]}
    spec.pop("title", None)
    inner = spec["spec"]
    inner |= change
    for layer in [inner, *inner.get("layer", ())]:
        ways = layer.get("encoding", {})
        for name in [n for n, way in ways.items() if _field(way) == "rev"]:
            del ways[name]
        if _field(ways.get("color")) == "view":  # the same colour in every picture
            shown = list(dict.fromkeys(str(row["view"]) for row in rows))
            known = [VIEWS.get(view, SOFT) for view in shown]
            ways["color"]["scale"] = {"domain": shown, "range": known}
    for side in ("row", "column"):
        if _field(spec["facet"].get(side)) in ONE:
            del spec["facet"][side]
    if not spec["facet"]:
        del spec["facet"], spec["spec"]
        spec.pop("resolve", None)  # of facets; layers share their axes
        spec |= inner
    return _svg(spec)


def scatter(
    rows: Sequence[Mapping[str, Any]], x: str, y: str, titles: tuple[str, str]
) -> str:
    """Draw points, each named by its ``label`` when it is pointed at, as an SVG."""
    axes = {
        way: {"field": name, "type": "quantitative", "title": title,
              "scale": {"zero": False}}
        for way, name, title in zip("xy", (x, y), titles, strict=True)
    }  # fmt: skip
    return _svg(
        {
            "data": {"values": list(rows)},
            "width": 260,
            "height": 190,
            "mark": {"type": "point", "filled": True, "size": 16, "opacity": 0.6},
            "encoding": axes | {"description": {"field": "label", "type": "nominal"}},
        }
    )


def _svg(spec: dict[str, Any]) -> str:
    import vl_convert

    spec["config"] = CONFIG
    svg: str = vl_convert.vegalite_to_svg(json.dumps(spec), vl_version=VEGA_LITE)
    for colour, name in COLOURS.items():
        svg = svg.replace(f'"{colour}"', f'"var(--{name})"')
    # What vega says of a mark to screen readers is told to all who point at it.
    svg = MARK.sub(r"<path\2><title>\1</title></path>", svg)
    svg = re.sub(r' (?:aria-[a-z]+|role)="[^"]*"', "", svg)
    own = hashlib.sha256(svg.encode()).hexdigest()[:8]
    return re.sub(r'(\bid="|url\(#)', rf"\g<1>{own}-", svg)


def _field(way: Any) -> Any:
    return way.get("field") if isinstance(way, dict) else None


def _filled(value: Any, words: Mapping[str, str]) -> Any:
    """Put words where DVC would: each placeholder is a whole string or part of one."""
    if isinstance(value, dict):
        return {key: _filled(inner, words) for key, inner in value.items()}
    if isinstance(value, list):
        return [_filled(inner, words) for inner in value]
    if isinstance(value, str):
        for name, word in words.items():
            value = value.replace(f"<DVC_METRIC_{name}>", word)
    return value


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
    """Write the page to give DVC as ``plots.html_template``."""
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
