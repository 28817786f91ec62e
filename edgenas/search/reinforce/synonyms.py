"""Which values of a gene mean the same network: what a policy's choice is credited with.

Several codes may be one network: a gene of a block that the network does not have may hold anything, and two ratios may
round to the same channels. The chance of a network is the sum over its codes, and its logarithm's gradient must not
reward the filler that a canonical code holds in such places. Letters: N networks, D genes, C choices at most.
"""

from __future__ import annotations

import numpy as np

from edgenas.search.protocol import Genes, Mask, SpaceView


def synonyms(space: SpaceView, genes: Genes) -> Mask:
    """Return which value of each gene leaves a network as it is, all other genes being as in its canonical code.

    Where the codes of a network are all combinations of these values, which dead genes and ratios that round alike
    give, the chance of the network under independent choices is the product over genes of the chance of these values.
    Where codes differ in several genes at once (blocks that move up behind a skipped one), codes are left out of that
    product, and the chance is too small.

    Args:
        space: The space.
        genes: (N, D), canonical.

    Returns:
        (N, D, C); the value of the code itself is always among them.
    """
    cards = space.cardinalities
    same = _own(genes, max(cards))
    for gene, count in enumerate(cards):
        for value in range(count):
            changed = genes.copy()
            changed[:, gene] = value
            same[:, gene, value] |= (space.canonical(changed) == genes).all(axis=1)
    return same


def synonyms_by_prefix(space: SpaceView, genes: Genes, gene: int) -> Mask:
    """Return which values of one gene mean the same, whatever the genes behind it will be, as far as can be seen.

    The genes behind are tried at their first and at their last choices: a value is a synonym where both say so.

    Args:
        space: The space.
        genes: (N, D); genes up to `gene` count.
        gene: Which one.

    Returns:
        (N, C); the value of the code itself is always among them.
    """
    cards = np.asarray(space.cardinalities)
    same = _own(genes[:, [gene]], int(cards.max()))[:, 0]
    known = np.ones((len(genes), int(cards[gene])), dtype=bool)
    for rest in (np.zeros_like(cards), cards - 1):
        filled = genes.copy()
        filled[:, gene + 1 :] = rest[gene + 1 :]
        own = space.canonical(filled)
        for value in range(int(cards[gene])):
            changed = filled.copy()
            changed[:, gene] = value
            known[:, value] &= (space.canonical(changed) == own).all(axis=1)
    same[:, : known.shape[1]] |= known
    return same


def _own(genes: Genes, choices: int) -> Mask:
    return genes[:, :, None] == np.arange(choices)
