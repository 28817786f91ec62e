"""Training shared weights."""
