"""Model-based search."""

from edgenas.search.bayes.references import region_of_interest, whole_front
from edgenas.search.bayes.searcher import Surrogate

__all__ = ["Surrogate", "region_of_interest", "whole_front"]
