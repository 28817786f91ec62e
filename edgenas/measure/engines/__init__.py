"""The runtimes that execute model files."""
