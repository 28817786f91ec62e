"""Reports of finished runs: reads the files of a run directory, draws plots, writes one HTML file."""

from edgenas.report.page import write_report

__all__ = ["write_report"]
