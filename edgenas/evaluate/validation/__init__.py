"""Validation of estimators: the networks and images it takes, the agreement of ranks, and the whole comparison."""
