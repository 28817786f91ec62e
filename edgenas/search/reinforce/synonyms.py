"""Synonyms: the values of a gene that mean the same network. A policy's update credits all of them.

Several codes may be one network: a gene of a block that the network does not have may have any value, and two ratios
may round to the same channels. The probability of a network is the sum over its codes. The gradient of its logarithm
must not reward the arbitrary values in a canonical code. Letters: N networks, D genes, C choices at most.
"""

from __future__ import annotations

import numpy as np

from edgenas.search.protocol import Genes, Mask, SpaceView


def synonyms(space: SpaceView, genes: Genes) -> Mask:
    """Return which values of each gene leave a network unchanged, with all other genes as in its canonical code.

    Genes without an effect and ratios that round alike give codes in all combinations of these values. The probability
    of the network under independent choices is then the product over genes of the probability of these values. Some
    codes differ in several genes at once (blocks that move up after a skipped one). Such codes are missing in the
    product, and the probability is too small.

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
    """Return which values of one gene mean the same network whatever the later genes are, by a test of two cases.

    The later genes are set to their first and to their last choices. A value is a synonym if it is one in both cases.

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
