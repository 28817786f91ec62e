"""A PostgreSQL server of one's own for a while, from the programs that are installed here."""

from __future__ import annotations

import os
import shutil
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

USER = "edgenas"


def programs() -> Path | None:
    """Folder of `initdb` and `pg_ctl`, on the path or where Debian keeps them; None where there are none."""
    found = shutil.which("initdb")
    if found:
        return Path(found).parent
    kept = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return kept[-1].parent if kept else None


@contextmanager
def temporary_server(folder_of_programs: Path) -> Iterator[str]:
    """Start a server that listens on a socket in a folder of its own; give its URL, and delete all of it at the end.

    Args:
        folder_of_programs: See `programs`.
    """
    # Short: the name of a socket holds some hundred characters, and the folder must be open to the other user.
    folder = Path("/tmp") / f"edgenas-{uuid.uuid4().hex[:8]}"
    folder.mkdir(mode=0o755)
    # A server refuses to be run by root.
    as_nobody = ["su", "-s", "/bin/sh", "nobody", "-c"] if os.geteuid() == 0 else ["sh", "-c"]
    if os.geteuid() == 0:
        shutil.chown(folder, "nobody")

    def call(line: str) -> None:
        subprocess.run([*as_nobody, line], check=True, stdout=subprocess.DEVNULL)

    where = folder_of_programs
    try:
        call(f"{where}/initdb -D {folder}/data -U {USER} --auth=trust")
        call(f"{where}/pg_ctl -w -D {folder}/data -l {folder}/log -o \"-k {folder} -c listen_addresses=''\" start")
        try:
            yield f"postgresql+psycopg://{USER}@/postgres?host={folder}"
        finally:
            call(f"{where}/pg_ctl -w -m immediate -D {folder}/data stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
