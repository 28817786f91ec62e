"""The core of a run: its stages, directory, context and artifacts."""
