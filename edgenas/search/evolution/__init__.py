"""Evolution and local search over categorical genes."""
