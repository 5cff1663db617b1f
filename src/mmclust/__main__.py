"""Entry point: runs the command line and turns errors into one message."""

from __future__ import annotations

import contextlib
import sys


def main() -> None:
    """Run ``mmclust``; exit 0 when fine, 1 for user's errors, 2 for usage."""
    try:
        from mmclust.cli import app
        from mmclust.cli._output import ShownOutput
        from mmclust.core.errors import MmclustError
    except ModuleNotFoundError as error:
        if str(error.name).startswith("mmclust."):
            raise
        sys.exit(
            f"error: {error.name} is not installed for {sys.executable}\n"
            "  do:       scripts/setup, then: source .venv/bin/activate"
        )
    try:
        with contextlib.redirect_stdout(ShownOutput(sys.stdout)):
            app(prog_name="mmclust")
    except MmclustError as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit("stopped; run the same command again to continue")


if __name__ == "__main__":
    main()
