"""The stages of a run in the order in which they run, one module a stage."""

from edgenas.pipeline.core.context import RunContext
from edgenas.pipeline.core.stage import Stage
from edgenas.pipeline.stages import data, family, front, latency_table, report, search, supernet, winner

DATA = data.STAGE
LATENCY_TABLE = latency_table.STAGE
SUPERNET = supernet.STAGE
SEARCH = search.STAGE
FRONT = front.STAGE
WINNER = winner.STAGE
FAMILY = family.STAGE
REPORT = report.STAGE

STAGES: tuple[Stage[RunContext], ...] = (DATA, LATENCY_TABLE, SUPERNET, SEARCH, FRONT, WINNER, FAMILY, REPORT)
