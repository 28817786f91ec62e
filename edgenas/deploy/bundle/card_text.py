"""card.md: the card for a person."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from html import escape
from typing import Any

from edgenas.deploy.accuracy import Comparison, Interval
from edgenas.deploy.bundle.card import Card, FileCard
from edgenas.deploy.scripts.compose import script_name, scripted_formats
from edgenas.text import printable


def card_text(card: Card) -> str:
    """Write a card as Markdown.

    Args:
        card: The card.
    """
    parts = [
        f"# {_plain(card.recipe)} bundle: {len(card.labels)} classes at {card.preprocessing['resolution']} px",
        *(f"**{_plain(text)}**" for text in card.warnings),
        _code(card.notation),
        f"{card.params:,} parameters, {card.macs:,} multiply-accumulates. Made {_plain(card.created)}; identity "
        f"{_code(card.identity[:16])}. Every figure below was measured on the files in this folder.",
        "## Files",
        _files(card),
        f"{_about_accuracy(card)} The drop is against torch on the "
        "same images, in points; agreement is the share of images given the same class.",
        *_quantisation(card),
        "## Use",
        _use(card),
        "## Input",
        _table(("", ""), ((_code(key), _plain(value)) for key, value in card.preprocessing.items())),
        *_facts("Data", card.data),
        *_facts("Training", card.training),
        *_facts("Device", card.device),
        *_facts("Versions", card.versions),
    ]
    return "\n\n".join(parts) + "\n"


def _about_accuracy(card: Card) -> str:
    """Describe the images of the accuracies. It says that no decision saw them only if that is known."""
    found = card.data.get("test_images")
    if isinstance(found, Mapping) and found.get("verdict") == "unseen":
        return "Accuracy is on test images that no decision saw, with its 95 % interval."
    words = str(found.get("words", "")) if isinstance(found, Mapping) else ""
    words = words or "Unknown whether the test images were trained on: nobody said where the weights come from."
    return f"Accuracy is on the test images, with its 95 % interval. {_plain(words)}"


def _use(card: Card) -> str:
    scripts = [script_name(name) for name in scripted_formats([entry.format for entry in card.files])]
    run = " or ".join(f"`python {script} IMAGE`" for script in scripts)
    ways = f"{run} (a runtime, numpy and pillow suffice). With a folder of class folders the accuracy is printed. "
    return f"{ways if scripts else ''}`sha256sum -c SHA256SUMS` checks the files."


def _plain(value: object) -> str:
    """Escape a user's text so that Markdown shows it literally: no HTML, no emphasis, no link, no line break."""
    text = escape(printable(str(value)), quote=False)
    return "".join(f"\\{character}" if character in "\\`*_[]|" else character for character in text)


def _code(value: object) -> str:
    """A user's text in a code span that nothing in the text can end."""
    return f"`{printable(str(value)).replace('`', chr(39))}`"


def _files(card: Card) -> str:
    head = ("file", "accuracy", "drop (points)", "agreement", "latency", "size", "kernels")
    torch_row = ("torch", _percent(card.torch_test), "", "", "", "", "")
    return _table(head, (torch_row, *(_row(entry) for entry in card.files)))


def _row(entry: FileCard) -> tuple[str, ...]:
    test = entry.test
    latency = entry.latency
    kernels = ", ".join(_plain(f"{key.replace('_', ' ')} {value}") for key, value in entry.kernels.items())
    return (
        _plain(entry.name),
        _percent(test.accuracy) if test else "cannot run here",
        _points(test) if test else "",
        f"{100 * test.top1_agreement:.1f} %" if test else "",
        f"{latency.latency_ms:.3f} ms ({latency.low_ms:.3f}-{latency.high_ms:.3f})" if latency else "not measured",
        f"{entry.bytes / 1024:,.0f} KiB",
        kernels,
    )


def _quantisation(card: Card) -> Iterable[str]:
    quantised = [entry for entry in card.files if entry.trials]
    if not quantised:
        return
    yield "## How int8 was made"
    for entry in quantised:
        lines = [f"{_plain(entry.name)}: {_plain(', '.join(entry.steps))}."]
        if entry.float_ops:
            lines.append(f"In floating point: {', '.join(map(_code, entry.float_ops))}.")
        yield " ".join(lines)
        tried = ((_plain(name), f"{drop:.2f}") for name, drop in entry.trials)
        yield _table(("tried", "drop on validation (points)"), tried)
        if entry.diagnosis:
            yield "Operations that change the logits most when rounded alone:"
            rows = ((_code(name), f"{noise:.4f}", f"{100 * changed:.1f} %") for name, noise, changed in entry.diagnosis)
            yield _table(("operation", "noise / variance of the logits", "classes changed"), rows)


def _facts(title: str, facts: Mapping[str, Any]) -> Iterable[str]:
    if facts:
        yield f"## {title}"
        yield _table(("", ""), ((_code(key), _plain(value)) for key, value in facts.items()))


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join("| " + " | ".join(_cell(cell) for cell in line) + " |" for line in lines)


def _cell(text: str) -> str:
    """A bar ends a cell, in a code span too."""
    return re.sub(r"(?<!\\)\|", r"\\|", text)


def _percent(interval: Interval) -> str:
    return f"{100 * interval.value:.2f} % ({100 * interval.low:.1f}-{100 * interval.high:.1f})"


def _points(comparison: Comparison) -> str:
    drop = comparison.drop
    return f"{100 * drop.value:+.2f} ({100 * drop.low:+.2f} to {100 * drop.high:+.2f})"
