"""Notes for the user about loaded images, and the refusal of sets with too many broken ones."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from edgenas.data.settings import DataSettings
from edgenas.data.sources.raw import Reader
from edgenas.data.values import Skipped
from edgenas.errors import DataError, explain

GREATEST_UNREADABLE_SHARE = 0.05
NAMED = 3
DECODED_WHILE_TRAINING = "The prepared images do not fit; they are decoded while training."


def preparation_notes(
    settings: DataSettings, readers: Sequence[Reader], *, channels: int, resolution: int
) -> tuple[str, ...]:
    """Say how images were changed.

    Args:
        settings: As given.
        readers: The parts of the source.
        channels: Of the prepared images.
        resolution: Of the prepared images, in pixels.
    """
    notes = []
    found = {reader.channels for reader in readers}
    if 4 in found:
        notes.append("Transparent pixels are composited over white.")
    if channels == 3 and 1 in found:
        notes.append("Grey images are repeated to three channels.")
    if channels == 1 and found != {1}:
        notes.append("Colour images are turned grey (ITU-R BT.601 luma).")
    if common_size(readers) != (resolution, resolution):
        share = "" if settings.crop == 1 else f"{settings.crop:.3g} of "
        how = f"centre crop of {share}the shorter side" if settings.resize == "crop" else "aspect ratio ignored"
        notes.append(f"Images are brought to {resolution} x {resolution} ({how}, {settings.interpolation}).")
    if settings.noise_std:
        notes.append(f"Gaussian noise of {settings.noise_std:g} of the full range is added once to every image.")
    return tuple(notes)


def content_notes(skipped: Sequence[Skipped], repeated: tuple[int, ...]) -> tuple[str, ...]:
    """Say what was found among the images.

    Args:
        skipped: Images that were left out.
        repeated: Images of train, validation and test that an earlier split holds too.
    """
    notes = []
    if skipped:
        reasons = ", ".join(f"{count} {reason}" for reason, count in _reasons(skipped).most_common(NAMED))
        named = ", ".join(f"{image.name} ({image.reason})" for image in skipped[:NAMED])
        more = ", ..." if len(skipped) > NAMED else ""
        notes.append(f"{len(skipped)} unreadable images are left out: {reasons}. They are {named}{more}")
    if any(repeated):
        _, validation, test = repeated
        notes.append(
            f"The source repeats images: {validation} of validation are also in train, "
            f"{test} of test are also in train or validation."
        )
    return tuple(notes)


def _reasons(skipped: Sequence[Skipped]) -> Counter[str]:
    return Counter(image.reason for image in skipped)


def refuse_unreadable(skipped: Sequence[Skipped], total: int) -> None:
    """Refuse a set with too many broken images.

    Args:
        skipped: Images that cannot be read.
        total: Images in all, these among them.

    Raises:
        DataError: More than `GREATEST_UNREADABLE_SHARE` are broken.
    """
    if len(skipped) <= GREATEST_UNREADABLE_SHARE * total:
        return
    named = "; ".join(f"{image.name}: {image.reason}" for image in skipped[:NAMED])
    raise DataError(
        explain(
            f"{len(skipped)} of {total} images cannot be read ({named}{'; ...' if len(skipped) > NAMED else ''})",
            allowed=f"at most {GREATEST_UNREADABLE_SHARE:.0%}",
            remedy="Replace or delete these files.",
        )
    )


def common_size(readers: Sequence[Reader]) -> tuple[int, int] | None:
    """Return height and width where all parts share them, otherwise None."""
    sizes = {reader.size for reader in readers}
    return sizes.pop() if len(sizes) == 1 else None
