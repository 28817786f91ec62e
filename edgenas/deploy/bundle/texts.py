"""The texts of a bundle that follow from its card: the card for people, the labels, the scripts."""

from __future__ import annotations

from collections.abc import Sequence

from edgenas.deploy.bundle.card import Card
from edgenas.deploy.bundle.card_text import card_text
from edgenas.deploy.scripts.compose import predict_script, script_name, scripted_formats
from edgenas.text import printable


def labels_text(labels: Sequence[str]) -> str:
    """One line for each class, in order; what would break a line is spelled out."""
    return "".join(f"{printable(label)}\n" for label in labels)


def texts_of(card: Card) -> dict[str, str]:
    """Return the texts by file name.

    Args:
        card: The card.
    """
    texts = {"card.md": card_text(card), "labels.txt": labels_text(card.labels)}
    for name in scripted_formats([entry.format for entry in card.files]):
        model = next(entry.name for entry in card.files if entry.format == name)
        script = predict_script(name, model=model, preprocessing=card.preprocessing, labels=card.labels)
        texts[script_name(name)] = script
    return texts
