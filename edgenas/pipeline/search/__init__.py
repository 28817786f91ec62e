"""What the search of a run is made of: costs, budget, judge, searchers."""
