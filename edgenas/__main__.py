"""The program `edgenas`, also as `python -m edgenas`."""

from __future__ import annotations

import signal

from edgenas.interrupt import STATUS


def command() -> None:
    """Run the command line. Ctrl-C ends it without a traceback, also while its modules are loaded and while it ends."""
    try:
        from edgenas.cli.main import main

        main()
    except KeyboardInterrupt:
        raise SystemExit(STATUS) from None
    finally:
        # What Python still does needs no care, so another Ctrl-C ends the process on the spot.
        signal.signal(signal.SIGINT, signal.SIG_DFL)


if __name__ == "__main__":
    command()
