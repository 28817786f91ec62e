"""Building and checking latency tables."""
