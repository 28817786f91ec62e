"""What TensorFlow Lite Micro's own allocator says of TFLite files: one path a line on the input, JSON on the output.

    python benchmarks/micro_arena.py < PATHS

It needs the PyPI package `tflite-micro` alone, so another interpreter than that of edgenas can run it. Each entry has
`total`, `head` (what is planned for activations) and `tail` (what the interpreter keeps), bytes.
"""

from __future__ import annotations

import json
import os
import re
import sys
import tempfile
from pathlib import Path

_LARGEST_ARENA = 256 << 20


def allocations(path: Path) -> dict[str, int]:
    """Load a file and read what the allocator recorded; it prints to the error output of the process."""
    from tflite_micro.python.tflite_micro import runtime

    interpreter = runtime.Interpreter.from_bytes(path.read_bytes(), arena_size=_LARGEST_ARENA)
    with tempfile.TemporaryFile() as stream:
        kept = os.dup(2)
        os.dup2(stream.fileno(), 2)
        try:
            interpreter.print_allocations()
        finally:
            os.dup2(kept, 2)
            os.close(kept)
        stream.seek(0)
        text = stream.read().decode()
    found = re.findall(r"Arena allocation (total|head|tail) (\d+) bytes", text)
    return {name: int(number) for name, number in found}


if __name__ == "__main__":
    print(json.dumps([allocations(Path(line.strip())) for line in sys.stdin if line.strip()]))
