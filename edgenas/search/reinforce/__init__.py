"""Search by reinforcement learning."""

from edgenas.search.reinforce.policy import Factorised, Policy
from edgenas.search.reinforce.recurrent import recurrent_policy
from edgenas.search.reinforce.searcher import Reinforce, Reward

__all__ = ["Factorised", "Policy", "Reinforce", "Reward", "recurrent_policy"]
