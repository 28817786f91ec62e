"""Code of other packages that writes, opens or counts files: whatever it raises becomes one error that names it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec

from edgenas.errors import EdgenasError, ExportError, explain
from edgenas.formats.registry import FORMATS, FormatName


def package_of(name: FormatName) -> str:
    """Return the package whose code handles a format; "" where it is edgenas's own."""
    origin = FORMATS.origin(name)
    return origin if origin != "edgenas" else FORMATS[name].package


def require_installed(name: FormatName) -> None:
    """Refuse a format whose package is missing.

    Raises:
        ExportError: It is missing; says which to install.
    """
    kind = FORMATS[name]
    if kind.module and find_spec(kind.module) is None:
        package = kind.package or kind.module
        raise ExportError(explain(f"format {name} needs {package}", remedy=f"Install it: pip install {package}"))


@contextmanager
def guarded(name: FormatName, what: str) -> Iterator[None]:
    """Turn whatever the code of a package raises into one error. The code of edgenas passes unchanged.

    Args:
        name: The format.
        what: What the package does where it fails, such as "refuses the network".

    Raises:
        ExportError: Its code failed; names the package and the reason.
    """
    try:
        yield
    except EdgenasError:
        raise
    # A foreign package may raise anything. An interrupt is no Exception and is not caught.
    except Exception as error:
        package = package_of(name)
        if not package:
            raise
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ExportError(explain(f"{package} {what}", got=reason)) from error
