"""`mmclust reproduce`: a number of the leaderboard made again, and compared."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from mmclust.board.reproduce import Verdict
    from mmclust.board.rows import Row

_SHOWN = 5


def reproduce(
    row: Annotated[str, typer.Argument(help="The id of a row, or how it begins.")],
    tolerance: Annotated[
        float, typer.Option(min=0, help="The largest difference that counts as none.")
    ] = 0.0,
    upstream: Annotated[
        bool,
        typer.Option(
            "--upstream", help="Run all the stages before it again, not only its own."
        ),
    ] = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Without DVC's output.")
    ] = False,
) -> None:
    """Run the stage that made a number, in a clean worktree of its commit; compare.

    The worktree is temporary and always removed. What the stage reads comes from this
    repository's DVC cache, or from the stages before it. Exit code 1: another number;
    where equality is not promised (other numerics or packages, Arm), one outside its
    interval.
    """
    from mmclust.board import reproduce as work
    from mmclust.report.provenance import machine

    root = Path()
    found = work.find_row(root, row)
    _introduce(found)
    typer.echo(
        f"here: {', '.join(f'{key} {value}' for key, value in machine().items())}"
    )
    differ = work.other_locks(root, found.commit)
    if differ:
        typer.echo(
            f"this environment may be another: {', '.join(differ)} differ from that "
            "commit's"
        )

    def tell(line: str) -> None:
        if not quiet:
            typer.echo(f"  {line}", err=True)

    verdict = work.reproduce(
        root, found, tolerance=tolerance, upstream=upstream, tell=tell
    )
    _judge(verdict)
    if not verdict.same and (not verdict.unpromised or not verdict.within):
        raise typer.Exit(1)


def _introduce(row: Row) -> None:
    what = (row.benchmark, row.encoder, row.view, row.method, row.k and f"k={row.k}")
    typer.echo(
        f"{row.id}: {row.metric} of {' '.join(part for part in what if part)} "
        f"at {row.commit[:7]} {row.experiment}".rstrip()
    )
    for note in row.notes:
        typer.echo(f"note: {note}")


def _judge(verdict: Verdict) -> None:
    row = verdict.row
    again = "gone" if verdict.again is None else f"{verdict.again!r}"
    typer.echo(f"ran {', '.join(verdict.ran)}; the rest came from DVC's cache")
    typer.echo(f"{row.metric}: recorded {row.score.mean!r}, made again {again}")
    if not verdict.differing:
        how = "equal to the byte" if verdict.same_bytes else "same"
        typer.echo(f"{how}: all {verdict.n_values} values of {row.held.path} are equal")
        return
    for name, then, now in verdict.differing[:_SHOWN]:
        typer.echo(f"  {name}: recorded {then}, made again {now}")
    left = len(verdict.differing) - _SHOWN
    if left > 0:
        typer.echo(f"  and {left} more")
    if verdict.unpromised and not verdict.same:
        where = "within the intervals" if verdict.within else (
            f"outside the intervals: {', '.join(verdict.outside)}"
            if verdict.outside else "and no interval to hold it against"
        )  # fmt: skip
        typer.echo(
            f"not promised there ({'; '.join(verdict.unpromised)}): "
            f"{len(verdict.differing)} of {verdict.n_values} values differ, largest "
            f"difference {verdict.largest:.6g}, {where}"
        )
        return
    typer.echo(
        f"{'same within the tolerance' if verdict.same else 'DIFFERENT'}: "
        f"{len(verdict.differing)} of {verdict.n_values} values differ, by at most "
        f"{verdict.largest:.6g} (tolerance {verdict.tolerance:g})"
    )
