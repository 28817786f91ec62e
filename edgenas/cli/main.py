"""The entry point: collects the commands and turns errors into one clear line."""

from __future__ import annotations

import errno
import io
import os
import shlex
import sys
from pathlib import Path

import typer

from edgenas.cli.commands import (
    architectures,
    cache,
    configuration,
    export,
    latency,
    refine,
    run,
    runs,
    scale,
    search,
    spaces,
    specialise,
    training,
    transfer,
    weights,
)
from edgenas.errors import EdgenasError, shorten
from edgenas.interrupt import STATUS as INTERRUPTED
from edgenas.text import printable, without_password

app = typer.Typer(
    name="edgenas",
    help="Hardware-aware neural architecture search for mobile and edge devices.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
architectures.register(app)
run.register(app)
runs.register(app)
spaces.register(app)
latency.register(app)
training.register(app)
weights.register(app)
export.register(app)
search.register(app)
scale.register(app)
refine.register(app)
specialise.register(app)
transfer.register(app)
configuration.register(app)
cache.register(app)

USAGE_ERROR = 2
_LAYOUT = "\n\t"

_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EROFS, errno.EPERM)
_PATH = (errno.ENAMETOOLONG, errno.ENOTDIR, errno.EISDIR, errno.ELOOP, errno.ENOENT, errno.EEXIST)


_TOGETHER = (["train"], ["supernet", "train"])
"""Commands that several processes can do together."""


def _rank() -> int:
    """Number of this process among those that torchrun started."""
    return int(os.environ.get("RANK", "0"))


def _take_part() -> None:
    """Let only the first of several processes print, and refuse commands that one process does."""
    if int(os.environ.get("WORLD_SIZE", "1")) == 1 or "RANK" not in os.environ:
        return
    if not any(sys.argv[1 : 1 + len(words)] == words for words in _TOGETHER) and "--help" not in sys.argv:
        _fail(
            "this command is for one process; several of torchrun can do `edgenas train` and `edgenas supernet train`. "
            "Train the supernet with torchrun, then run the rest without."
        )
    if _rank():
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115  # open as long as the process runs


def _fail(message: str) -> None:
    who = f"process {_rank()}: " if _rank() else ""
    print(f"{who}error: {printable(message, keep=_LAYOUT)}", file=sys.stderr)
    raise SystemExit(USAGE_ERROR)


def _say_interrupted() -> None:
    if _rank():
        return
    print(f"interrupted; what was finished is kept. To continue:\n  {_this_command()}", file=sys.stderr)


def _this_command() -> str:
    """Return what was typed, without its passwords."""
    program = Path(sys.argv[0]).name
    begin = [*_launcher(), *(["python", "-m", "edgenas"] if program == "__main__.py" else [program])]
    return without_password(printable(shlex.join([*begin, *sys.argv[1:]])))


def _launcher() -> list[str]:
    """Return the part before the program where torchrun started this process; its other options are not known here."""
    if "TORCHELASTIC_RUN_ID" not in os.environ:
        return []
    here, everywhere = (int(os.environ.get(name, 1)) for name in ("LOCAL_WORLD_SIZE", "WORLD_SIZE"))
    hosts = max(1, everywhere // max(1, here))
    return ["torchrun", *([f"--nnodes={hosts}"] if hosts > 1 else []), f"--nproc-per-node={here}", "--no-python"]


def _print_any_name() -> None:
    """Print file names that are no valid text in escaped form, instead of ending the command."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def main() -> None:
    """Run the command line; errors of edgenas and of the machine become one message and status 2."""
    _print_any_name()
    _take_part()
    try:
        app()
    except EdgenasError as error:
        _fail(str(error))
    except KeyboardInterrupt:
        _say_interrupted()
        raise SystemExit(INTERRUPTED) from None
    except SystemExit as end:
        # Typer turns the interrupt of a command into this.
        if end.code == INTERRUPTED:
            _say_interrupted()
        raise
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(1) from None
    except OSError as error:
        where = f" ({shorten(str(error.filename), 200)})" if error.filename else ""
        if error.errno in _PATH:
            _fail(f"{error.strerror}{where}. Check the path.")
        if error.errno not in _SPACE:
            raise
        _fail(f"{error.strerror}{where}. Free some space or write elsewhere; what was finished is kept.")
