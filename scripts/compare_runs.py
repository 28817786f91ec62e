"""Does this checkout give the same run as another one? Both run a configuration with one seed and one latency table.

    python scripts/compare_runs.py OTHER_CHECKOUT --table TABLE.json [--config quickstart] [--set key=value ...]

Prints a line for each file, and fails where the architecture or the bytes of a file differ. A table of the space of the
configuration is written by `edgenas latency build`. Nothing is measured: every file is said to take a microsecond, so
that no measurement decides which network wins.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parents[1]
PROGRAM = """
import sys
import numpy as np
import edgenas.measure
import edgenas.measure.files

def steady(files, **_):
    latency = edgenas.measure.files.FileLatency
    facts = dict(runtime_version="", latency_ms=1e-3, standard_error_ms=0.0, low_ms=1e-3, high_ms=1e-3, wall_ms=1e-3)
    rest = dict(sessions=1, runs=1, switches=0, load_per_core=0.0, threads=1, mode="hot", samples=())
    return tuple(latency(name=file.name, runtime="ort", **facts, **rest) for file in files)

edgenas.measure.measure_files = edgenas.measure.files.measure_files = steady
from edgenas.cli.main import main
sys.argv[0] = "edgenas"
main()
"""
FILES = ("model.safetensors", "export/model.onnx", "export/model.tflite")


def run(checkout: Path, out: Path, options: argparse.Namespace) -> Path:
    """Run a configuration with the code of a checkout, and return the run directory."""
    settings = [f"output={out}", "name=compared", f"latency.table={Path(options.table).resolve()}", *options.set]
    command = [sys.executable, "-c", PROGRAM, "run", str(checkout / "configs" / f"{options.config}.yaml")]
    for setting in settings:
        command += ["--set", setting]
    subprocess.run(
        command, check=True, cwd=out, env={**os.environ, "PYTHONPATH": str(checkout)}, stdout=subprocess.DEVNULL
    )
    return out / "compared"


def digests(folder: Path) -> dict[str, str]:
    """Return what has to be equal: the architecture's digest, and the SHA-256 of the files."""
    found = {"architecture": json.loads((folder / "winner.json").read_text())["digest"]}
    for name in FILES:
        found[name] = hashlib.sha256((folder / name).read_bytes()).hexdigest()
    return found


def main() -> int:
    """Compare, and return how many differ."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("other", type=Path, help="An older checkout.")
    parser.add_argument("--table", required=True)
    parser.add_argument("--config", default="quickstart")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    options = parser.parse_args()
    results = []
    for checkout in (options.other.resolve(), HERE):
        with tempfile.TemporaryDirectory() as folder:
            results.append(digests(run(checkout, Path(folder), options)))
    different = 0
    for name, before in results[0].items():
        same = results[1][name] == before
        different += not same
        print(f"{'same     ' if same else 'DIFFERENT'}  {name}  {before[:16]}  {results[1][name][:16]}")
    return different


if __name__ == "__main__":
    sys.exit(main())
