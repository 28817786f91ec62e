"""Which images weights have seen, recognised by content, so that no training image is called unseen.

A checkpoint cannot hold the digests of all its images, so it holds the K smallest. The smallest K digests of the union
of two sets are a uniform sample of the union (a bottom-k sketch). Sets of up to K images are compared exactly.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from edgenas.errors import WeightsError, explain
from edgenas.reading.json_text import plain_text, plain_value

KEPT = 2048
"""Digests that a checkpoint carries: 16 KiB."""

Contents = NDArray[np.uint64]
Verdict = Literal["unseen", "seen", "unknown"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SplitContents:
    """The images of three splits by content.

    Attributes:
        train, validation, test: A number of every image, (N,) uint64 each.
        kind: What the numbers are of, "files" or "pixels".
        seed: Of the split, for messages.
    """

    train: Contents
    validation: Contents
    test: Contents
    kind: str
    seed: int

    @property
    def digest(self) -> str:
        """Digest of the images of each split. Their order, names and size after preparation do not matter."""
        text = sha256(self.kind.encode())
        for part in (self.train, self.validation, self.test):
            text.update(f"|{len(part)}|".encode() + np.sort(part).astype("<u8").tobytes())
        return text.hexdigest()

    def history(self) -> ImageHistory:
        """Return the history of weights that were trained and chosen on these splits."""
        seen = np.unique(np.concatenate([self.train, self.validation]))
        return ImageHistory(
            splits=(self.digest,), seeds=(self.seed,), kind=self.kind, seen=seen[:KEPT], whole=len(seen) <= KEPT
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ImageHistory:
    """The images that weights were trained or chosen on, and those of their start weights and teacher.

    Attributes:
        splits: Digests of the splits.
        seeds: Of the splits, for messages.
        kind: See `SplitContents`.
        seen: The smallest numbers of the images, sorted, (K,) uint64.
        whole: Whether these are all of them.
        unknown: What is not known, a clause; empty if everything is known.
    """

    splits: tuple[str, ...]
    seeds: tuple[int, ...]
    kind: str
    seen: Contents
    whole: bool
    unknown: str = ""

    def joined(self, other: ImageHistory | None, *, what: str) -> ImageHistory:
        """Return the history of weights that come from these and others.

        Args:
            other: Of the others; None where it is not known.
            what: What the others are, such as "the weights that the training started from".
        """
        if other is None:
            return self._with(unknown=f"{what} do not say which images they were trained on")
        if other.kind != self.kind:
            return self._with(unknown=f"{what} were trained on images of another form, which cannot be compared")
        seen = np.union1d(self.seen, other.seen)
        # Nothing is known of a set beyond the largest number of its incomplete sample.
        for part in (self, other):
            if not part.whole:
                seen = seen[seen <= part.seen[-1]]
        return ImageHistory(
            splits=tuple(dict.fromkeys((*self.splits, *other.splits))),
            seeds=tuple(dict.fromkeys((*self.seeds, *other.seeds))),
            kind=self.kind,
            seen=seen[:KEPT],
            whole=self.whole and other.whole and len(seen) <= KEPT,
            unknown=self.unknown or other.unknown,
        )

    def _with(self, *, unknown: str) -> ImageHistory:
        return ImageHistory(
            splits=self.splits, seeds=self.seeds, kind=self.kind, seen=self.seen, whole=self.whole,
            unknown=self.unknown or unknown,
        )  # fmt: skip

    def to_json(self) -> str:
        """Return a text for the metadata of a file."""
        return plain_text(
            {
                "splits": self.splits,
                "seeds": self.seeds,
                "kind": self.kind,
                "seen": base64.b64encode(self.seen.astype("<u8").tobytes()).decode("ascii"),
                "whole": self.whole,
                "unknown": self.unknown,
            },
            sort_keys=True,
        )

    @classmethod
    def from_json(cls, text: str) -> ImageHistory:
        """Read what `to_json` wrote.

        Raises:
            WeightsError: It is something else.
        """
        try:
            values: dict[str, Any] = plain_value(text)
            if not values["seen"]:
                raise ValueError("no images")
            return cls(
                splits=tuple(str(value) for value in values["splits"]),
                seeds=tuple(int(value) for value in values["seeds"]),
                kind=str(values["kind"]),
                seen=np.sort(np.frombuffer(base64.b64decode(values["seen"], validate=True), "<u8").astype(np.uint64)),
                whole=values["whole"] is True,
                unknown=str(values["unknown"]),
            )
        except (ValueError, KeyError, TypeError) as error:
            raise WeightsError(explain("what the file says of its training images is damaged", got=error)) from error


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Whether images were seen in a training.

    Attributes:
        verdict: "unseen", "seen" or "unknown".
        words: A sentence for cards and messages.
        share: Share of seen images among those that could be looked up, in [0, 1]; None if none could be.
    """

    verdict: Verdict
    words: str
    share: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {"verdict": self.verdict, "words": self.words, "share_seen": self.share}


def find_seen(
    history: ImageHistory | None, split: SplitContents | None, *, parts: tuple[str, ...] = ("test",)
) -> Finding:
    """Say whether the images of a split were seen in the training of weights.

    Args:
        history: Of the weights; None where they do not say.
        split: The images; None where their contents were not looked at.
        parts: Names of the parts that are looked up.
    """
    named = " and ".join(parts)
    if history is None or split is None:
        return _unknown(named, "the checkpoint does not say which images it was trained on" if history is None else
                        "the images were given without their contents")  # fmt: skip
    if set(history.splits) == {split.digest} and not history.unknown:
        return Finding(
            verdict="unseen", words=f"No training image and no decision is among the {named} images.", share=0.0
        )
    if history.kind != split.kind:
        return _unknown(named, "the training images were of another form (files or arrays), which cannot be compared")
    asked = np.concatenate([getattr(split, part) for part in parts])
    if split.digest in history.splits:
        # The weights' own training chose by these images, and the same photograph may be in this very split twice (the
        # data's notes count it). Neither says anything of another training.
        asked = asked[~np.isin(asked, np.concatenate([split.train, split.validation]))]
    looked_up = asked if history.whole else asked[asked <= history.seen[-1]]
    hits = int(np.isin(looked_up, history.seen).sum())
    if hits:
        share = hits / len(looked_up)
        return Finding(
            verdict="seen",
            words=f"{hits} of {len(looked_up)} {named} images that were looked up are among the training images.",
            share=share,
        )
    if history.unknown:
        return _unknown(named, history.unknown)
    if not len(looked_up):
        return _unknown(named, "too few images to look up in the sample that the checkpoint carries")
    return Finding(
        verdict="unseen",
        words=f"Of {len(looked_up)} {named} images that were looked up none is among the training images.",
        share=0.0,
    )


def _unknown(named: str, reason: str) -> Finding:
    return Finding(verdict="unknown", words=f"Unknown whether the {named} images were trained on: {reason}.")
