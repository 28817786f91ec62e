"""Stages, the run directory, and the whole job: `edgenas.pipeline.commands.run.run_pipeline`."""
