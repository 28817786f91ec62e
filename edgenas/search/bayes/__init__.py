"""Model-based search."""

from edgenas.search.bayes.searcher import Surrogate, region_of_interest

__all__ = ["Surrogate", "region_of_interest"]
