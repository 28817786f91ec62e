"""Print every import circle of edgenas, and fail where there is one."""

from __future__ import annotations

import sys

import grimp


def circles(graph: grimp.ImportGraph) -> list[list[str]]:
    """Return the circles of a graph, each as modules in the order in which they import one another."""
    found = []
    for module in sorted(graph.modules):
        for imported in graph.find_modules_directly_imported_by(module):
            chain = graph.find_shortest_chain(imported, module)
            # Each circle is found from each of its members; it is kept from its first one.
            if chain is not None and module == min(chain):
                found.append([module, *chain])
    return found


if __name__ == "__main__":
    found = circles(grimp.build_graph("edgenas", cache_dir=None))
    for circle in found:
        print("import circle: " + " -> ".join(circle))
    sys.exit(1 if found else 0)
