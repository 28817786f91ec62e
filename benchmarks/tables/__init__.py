"""Benchmark tables as search spaces, and small spaces for tests."""

from .structure import Cell, IdentityGroups, Structure
from .tabular import Table, TabularSpace, read_table

__all__ = ["Cell", "IdentityGroups", "Structure", "Table", "TabularSpace", "read_table"]
