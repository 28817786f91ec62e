"""Stages, the run directory, and the whole job: `edgenas.pipeline.run.run_pipeline`."""
