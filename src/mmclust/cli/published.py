"""`mmclust published`: numbers of papers, and ours beside them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mmclust.cli._options import NamesCommand
from mmclust.cli._show import Notes, print_table
from mmclust.core.errors import visible

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from mmclust.scoring.published import Compared, Published

app = typer.Typer(no_args_is_help=True, help="Published numbers, and ours beside them.")
_FOLDER = Path("docs/published")
_TABLE = "A table by its id in docs/published, such as dxmc-1; default: all."
_Table = Annotated[str | None, typer.Option("--table", help=_TABLE)]


@app.command("list")
def list_published(
    dataset: Annotated[
        str | None, typer.Argument(help="A data set, such as cifar10; all without.")
    ] = None,
    table: _Table = None,
) -> None:
    """List published numbers, a line each: value, spread, and who says so.

    Shares are in [0, 1]. Set-ups are told once each, below. Numbers quoted from
    memory are left out.
    """
    from mmclust.scoring.published import read_published, select

    rows = select(read_published(_FOLDER), dataset, table)
    if table is not None:
        _as_printed(rows, [])
        return
    notes = Notes()
    lines = [
        [row.dataset, row.method, row.metric, _value(row),
         f"table {row.table}", notes.mark(_who(row))]
        for row in rows
    ]  # fmt: skip
    _print(lines)
    notes.print()


@app.command(cls=NamesCommand)
def compare(
    benchmark: Annotated[
        str | None, typer.Argument(help="A benchmark of params.yaml; all without.")
    ] = None,
    table: _Table = None,
) -> None:
    """Print ours, theirs and the difference, a line a number.

    Below stands, once each, how the set-up is not the same. Reads the record of
    scores (metrics/details/score), params.yaml and the benchmark's summary. Where
    its data are not the published ones, no difference is given, and no number of ours
    stands in a table.
    """
    from mmclust.core.errors import MmclustError
    from mmclust.core.manifest import read_summary
    from mmclust.core.params import read_params
    from mmclust.scoring.published import compare as put_beside
    from mmclust.scoring.published import read_published, select
    from mmclust.scoring.record import path_of, read

    params = read_params()
    published = select(read_published(_FOLDER), None, table)
    compared: dict[str, list[Compared]] = {}
    for name in params.clustered if benchmark is None else (benchmark,):
        record = read(path_of(Path(), "score", name))
        if not record:
            raise MmclustError(
                f"No method has a score on {name}",
                where=path_of(Path(), "score", name),
                expected="methods with runs, on a benchmark with classes",
                found="an empty record",
                do="name another benchmark",
            )
        summary = read_summary(Path("data/benchmarks") / name)
        compared[name] = put_beside(published, name, record, params, summary)
    if table is not None:
        _as_printed(published, [row for rows in compared.values() for row in rows])
        return
    for name, rows in compared.items():
        typer.echo(f"{name}: {len(rows)} published numbers have one of ours beside")
        _beside(rows)


def _beside(rows: Sequence[Compared]) -> None:
    notes = Notes()
    lines = []
    for row in rows:
        theirs = row.published
        difference = "other data"
        if row.difference is not None:
            difference = f"{row.difference:+.3f}"
        lines.append(
            [theirs.method, theirs.metric, f"ours {row.ours:.3f}",
             f"theirs {theirs.value:.3f}", difference, row.name,
             notes.mark(_differs(row))]
        )  # fmt: skip
    _print(lines)
    notes.print()


def _as_printed(published: Sequence[Published], ours: Sequence[Compared]) -> None:
    """Print a table: methods over data sets and metrics, ours where data are the same.

    A method with several sources or set-ups has a row for each.
    """
    notes = Notes()
    digits = max((len(f"{row.value:.6g}".partition(".")[2]) for row in published),
                 default=3)  # fmt: skip
    columns = list(dict.fromkeys((row.dataset, row.metric) for row in published))
    rows: dict[tuple[str, str], dict[tuple[str, str], str]] = {}
    for row in published:
        cells = rows.setdefault((row.method, notes.mark(_who(row))), {})
        value, at = _value(row, digits), (row.dataset, row.metric)
        cells[at] = f"{cells[at]}, {value}" if at in cells else value
    rows = _joined(rows)
    other = dict.fromkeys(
        f"ours of {row.published.dataset} are left out: {row.differs[0]}"
        for row in ours
        if row.difference is None
    )
    for each in ours:
        if each.difference is not None:
            told = notes.mark(_differs(each))
            at = (each.published.dataset, each.published.metric)
            cells = rows.setdefault((f"ours: {each.name}", told), {})
            cells[at] = f"{each.ours:.{digits}f}"
    heads = ["\n".join(column) for column in columns]
    print_table(
        ["method", "note", *heads],
        [[*key, *(cells.get(at, "") for at in columns)] for key, cells in rows.items()],
        heads,
        {"method"},
    )
    notes.print()
    for sentence in other:
        typer.echo(sentence)


def _joined(
    rows: dict[tuple[str, str], dict[tuple[str, str], str]],
) -> dict[tuple[str, str], dict[tuple[str, str], str]]:
    """Put notes of one method into one row where they are of different data sets."""
    found: dict[str, list[tuple[list[str], dict[tuple[str, str], str]]]] = {}
    for (method, note), cells in rows.items():
        datasets = {dataset for dataset, _ in cells}
        for notes, known in found.setdefault(method, []):
            if datasets.isdisjoint(dataset for dataset, _ in known):
                notes.append(note)
                known.update(cells)
                break
        else:
            found[method].append(([note], cells))
    return {
        (method, " ".join(notes)): cells
        for method, groups in found.items()
        for notes, cells in groups
    }


def _value(row: Published, digits: int | None = None) -> str:
    """Return a number and its spread, as many digits as are known."""
    if digits is None:
        spread = f" ± {row.spread:g}" if row.spread is not None else ""
        return f"{row.value:g}{spread}"
    spread = f" ± {row.spread:.{digits}f}" if row.spread is not None else ""
    return f"{row.value:.{digits}f}{spread}"


def _differs(row: Compared) -> str:
    from mmclust.report.scores import SAME

    return "; ".join(row.differs) or SAME


def _who(row: Published) -> str:
    from mmclust.report.scores import STATUS

    status = STATUS.get(row.status, row.status)
    return f"{row.source} ({status}); {row.setup}"


def _print(lines: Iterable[Sequence[str]]) -> None:
    """Print lines, their parts below each other."""
    told = [[visible(part) for part in line] for line in lines]
    widths = [max(map(len, column)) for column in zip(*told, strict=True)]
    for line in told:
        parts = (part.ljust(width) for part, width in zip(line, widths, strict=True))
        typer.echo(f"  {'  '.join(parts)}".rstrip())
