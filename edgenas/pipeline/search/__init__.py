"""The parts of a run's search: costs, budget, judge, searchers."""
