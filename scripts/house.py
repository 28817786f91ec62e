"""How the code of edgenas looks, in numbers: `python scripts/house.py [--json OUT]`.

Lines of files and functions (median, 90th percentile), the share of public names that are documented and typed, import
circles, files a folder, and runs of lines that stand in two places.
"""

from __future__ import annotations

import argparse
import ast
import json
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import grimp
from circles import circles

ROOT = Path(__file__).resolve().parents[1] / "edgenas"
RUN = 8
"""Lines that a duplicated run has at least."""

Function = ast.FunctionDef | ast.AsyncFunctionDef


def public_names(tree: ast.Module) -> Iterator[tuple[str, ast.AST, bool]]:
    """Yield (name, node, whether it is inside a class) of the public functions, methods and classes of a module."""
    for node in tree.body:
        if isinstance(node, Function | ast.ClassDef) and not node.name.startswith("_"):
            yield node.name, node, False
            if isinstance(node, ast.ClassDef):
                for inner in node.body:
                    if isinstance(inner, Function) and not inner.name.startswith("_"):
                        yield f"{node.name}.{inner.name}", inner, True


def typed(function: Function, *, method: bool) -> bool:
    """Whether every parameter and the result have a type."""
    arguments = [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]
    static = any(isinstance(mark, ast.Name) and mark.id == "staticmethod" for mark in function.decorator_list)
    named = arguments[1:] if method and not static else arguments
    return function.returns is not None and all(argument.annotation is not None for argument in named)


def spread(counts: list[int]) -> dict[str, float]:
    """Median, 90th percentile and largest of some counts."""
    return {"median": median(counts), "p90": round(quantiles(counts, n=10)[-1], 1), "most": max(counts)}


def duplicated(files: list[Path]) -> list[tuple[str, str]]:
    """Return pairs of files that share a run of `RUN` lines, imports and blank lines left out."""
    places: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for path in files:
        lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]
        kept = [line for line in lines if line and not line.startswith(("import ", "from ", "#", '"""'))]
        for start in range(len(kept) - RUN + 1):
            places[tuple(kept[start : start + RUN])].append(str(path.relative_to(ROOT)))
    pairs = {tuple(sorted(found)[:2]) for found in places.values() if len(found) > 1}
    return sorted((one, other) for one, other in pairs)


def measure() -> dict[str, Any]:
    """Read every file of the package once, and count."""
    files = sorted(path for path in ROOT.rglob("*.py") if "_shipped" not in path.parts)
    functions, names, documented, with_types = [], 0, 0, []
    for path in files:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        functions += [
            node.end_lineno - node.lineno + 1  # type: ignore[operator]
            for node in ast.walk(tree)
            if isinstance(node, Function)
        ]
        for _, node, method in public_names(tree):
            names += 1
            documented += ast.get_docstring(node) is not None  # type: ignore[arg-type]
            if isinstance(node, Function):
                with_types.append(typed(node, method=method))
    folders = Counter(str(path.parent.relative_to(ROOT.parent)) for path in files)
    return {
        "files": len(files),
        "lines_a_file": spread([len(path.read_text(encoding="utf-8").splitlines()) for path in files]),
        "lines_a_function": spread(functions),
        "public_names": names,
        "documented_percent": round(100 * documented / names, 1),
        "typed_percent": round(100 * sum(with_types) / len(with_types), 1),
        "import_circles": len(circles(grimp.build_graph("edgenas", cache_dir=None))),
        "files_a_folder": {"most": max(folders.values()), "over_15": {k: v for k, v in folders.items() if v > 15}},
        "duplicated_runs": [list(pair) for pair in duplicated(files)],
    }


def main() -> None:
    """Print the table, and write it where asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    found = measure()
    for name, value in found.items():
        print(f"{name.replace('_', ' '):20} {value}")
    if options.json is not None:
        options.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
