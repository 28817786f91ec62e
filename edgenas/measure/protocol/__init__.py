"""How one latency is measured."""
