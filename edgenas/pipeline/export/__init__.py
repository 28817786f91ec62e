"""Exporting a network of a run."""
