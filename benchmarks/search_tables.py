"""The tables of docs/search.md, from what `search_quality.py` wrote: `python benchmarks/search_tables.py JSON`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

COUNTS = ("50", "100", "200", "500")


def reached(found: dict[str, Any]) -> str:
    """Networks to each level."""
    return " / ".join("-" if value is None else f"{value:g}" for value in found["evaluations_to"].values())


def row(name: str, entry: dict[str, Any]) -> str:
    """One strategy: hypervolume after some networks and networks to each level, from both references."""
    parts = [f"{name} ({entry['seeds']} seeds)" if entry["seeds"] < 20 else name]
    for reference in ("accurate_end", "whole_front"):
        found = entry[reference]
        parts += [f"{found['hypervolume_percent'][count]:.2f}" if count in found["hypervolume_percent"] else ""
                  for count in COUNTS]  # fmt: skip
        parts.append(reached(found))
    return "| " + " | ".join(parts) + " |"


def main() -> None:
    """Print every table."""
    document = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    for name, entries in document["tables"].items():
        print(f"\n**`{name}`**, hypervolume in % after so many networks, and networks to 95 / 98 / 99 %:\n")
        columns = ["strategy", *COUNTS, "accurate end to", *COUNTS, "whole front to"]
        print("| " + " | ".join(columns) + " |")
        print("|" + "---|" * (2 * len(COUNTS) + 3))
        for strategy, entry in entries.items():
            print(row(strategy, entry))
    for name, entries in document["constrained"].items():
        print(f"\n**`{name}`**, regret in points after 40 / 100 / 200 networks, networks to the optimum:\n")
        print("| strategy | 40 | 100 | 200 | to the optimum |\n|---|---|---|---|---|")
        for strategy, entry in entries.items():
            values = [f"{value:.3f}" if value is not None else "-" for value in entry["regret_points"].values()]
            values += ["0.000"] * (3 - len(values)) if entry["evaluations_to_optimum"] else [""] * (3 - len(values))
            best = entry["evaluations_to_optimum"]
            print(f"| {strategy} | " + " | ".join(values) + f" | {'-' if best is None else f'{best:g}'} |")


if __name__ == "__main__":
    main()
