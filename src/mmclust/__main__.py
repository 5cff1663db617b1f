"""Entry point: runs the command line and turns errors into one message."""

from __future__ import annotations

import contextlib
import errno
import sys
from typing import NoReturn


def _stop() -> NoReturn:
    """Say how to go on, and end as a shell expects it of Ctrl-C."""
    print("stopped; run the same command again to continue", file=sys.stderr)  # noqa: T201
    sys.exit(130)


def _short_of_memory(error: MemoryError | RuntimeError) -> NoReturn:
    """Say that memory does not suffice, here or on a GPU; raise any other error."""
    if isinstance(error, MemoryError):
        sys.exit(
            f"error: there is not enough memory ({str(error) or 'no more is given'})"
        )
    if type(error).__name__ != "OutOfMemoryError":  # of torch, which is not loaded here
        raise error
    sys.exit(
        "error: there is not enough memory on the device\n"
        f"  found:    {str(error).partition(' If reserved')[0]}\n"
        "  do:       lower --batch-size, or the method's batch in params.yaml; "
        "leave --device out to run on the CPU"
    )


def main() -> None:
    """Run ``mmclust``; exit 0 when fine, 1 for user's errors, 2 for usage.

    Ctrl-C ends it with 130.
    """
    from mmclust.core.errors import MmclustError
    from mmclust.core.numerics import settle

    try:
        settle()  # before any library that reads these settings can be loaded
        from mmclust.cli import StoppedError, app
        from mmclust.cli._show import ShownOutput
    except ModuleNotFoundError as error:
        if str(error.name).startswith("mmclust."):
            raise
        sys.exit(
            f"error: {error.name} is not installed for {sys.executable}\n"
            "  do:       scripts/setup, then: source .venv/bin/activate"
        )
    except KeyboardInterrupt:
        _stop()
    except MmclustError as error:
        sys.exit(f"error: {error}")
    try:
        with contextlib.redirect_stdout(ShownOutput(sys.stdout)):
            app(prog_name="mmclust")
    except MmclustError as error:
        sys.exit(f"error: {error}")
    except (MemoryError, RuntimeError) as error:
        _short_of_memory(error)
    except (KeyboardInterrupt, StoppedError):
        _stop()
    except OSError as error:  # of a library that writes by itself
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        sys.exit(
            f"error: {error.strerror}\n  where:    {error.filename or 'unknown'}\n"
            "  do:       free some space, then run the same command again"
        )


if __name__ == "__main__":
    main()
