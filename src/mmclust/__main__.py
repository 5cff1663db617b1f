"""Entry point: runs the command line and turns errors into one message."""

from __future__ import annotations

import sys


def main() -> None:
    """Run ``mmclust``; exit 0 when fine, 1 for user's errors, 2 for usage."""
    from mmclust.core.errors import MmclustError
    from mmclust.core.numerics import settle

    try:
        settle()  # before any library that reads these settings can be loaded
        from mmclust.cli import app
    except ModuleNotFoundError as error:
        if str(error.name).startswith("mmclust."):
            raise
        sys.exit(
            f"error: {error.name} is not installed for {sys.executable}\n"
            "  do:       scripts/setup, then: source .venv/bin/activate"
        )
    except MmclustError as error:
        sys.exit(f"error: {error}")
    try:
        app(prog_name="mmclust")
    except MmclustError as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit("stopped; run the same command again to continue")


if __name__ == "__main__":
    main()
