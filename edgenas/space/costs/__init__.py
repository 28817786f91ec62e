"""Costs of whole populations of a space, as sums over its parts."""
