"""Sections about images and the space of networks."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from edgenas.config.bounds import Images, MiB, Seed
from edgenas.config.sections.names import PathText, Resolution, Share, SourceName
from edgenas.config.sections.section import Section


class DataSection(Section):
    """Where the images come from. Splits are stratified and always apart."""

    source: SourceName = Field("digits", description="What the images come from; all but digits need a path.")
    path: PathText | None = Field(None, description="Folder or file; for huggingface also a name. Unused by digits.")
    resolution: Resolution | None = Field(None, description="Height and width, pixels; the native size if left out.")
    resize: Literal["crop", "squash"] = Field("crop", description="What becomes of images that are not square.")
    interpolation: Literal["bilinear", "bicubic"] | None = Field(
        None, description="Filter of the resize; that of the start's weights if left out, bilinear without."
    )
    crop: float | None = Field(
        None, gt=0, le=1, description="Share of each side that is kept; of the start's weights if left out, or all."
    )
    mean: list[Annotated[float, Field(ge=-10, le=10)]] | None = Field(
        None,
        min_length=1,
        max_length=3,
        description="Of values in [0, 1] by channel, subtracted; of the start's weights, or of the training images.",
    )
    std: list[Annotated[float, Field(gt=0, le=10)]] | None = Field(
        None, min_length=1, max_length=3, description="What values are then divided by; likewise."
    )
    channels: Literal[1, 3] | None = Field(None, description="1 or 3; as the images are if left out.")
    noise_std: float = Field(0.0, ge=0, le=1, description="Gaussian noise added once, share of the full range.")
    train_limit: Images | None = Field(None, description="At most so many training images, of all classes.")
    validation_limit: Images | None = Field(None, description="At most so many validation images, of all classes.")
    test_limit: Images | None = Field(None, description="At most so many test images, of all classes.")
    validation_fraction: Share = Field(0.2, description="Of the images, where they are not split yet.")
    test_fraction: Share = Field(0.2, description="The same for the test images.")
    seed: Seed | None = Field(None, description="Of splits, subsets and noise; drawn from the run's seed if left out.")
    cache: bool = Field(True, description="Keep prepared images in the cache, for all runs on the same images.")
    cache_dir: PathText | None = Field(
        None, description="Folder of the cache; EDGENAS_CACHE, or `~/.cache/edgenas` if left out."
    )
    cache_limit_gib: float | None = Field(
        None,
        gt=0,
        le=2**20,
        description="Most that prepared images take there, GiB; half of what the disk has for them if left out.",
    )
    memory_limit_mib: MiB = Field(
        2048, description="Without a cache, larger sets (as prepared) are decoded while training."
    )

    @model_validator(mode="after")
    def _leaves_training_images(self) -> DataSection:
        if self.validation_fraction + self.test_fraction >= 1:
            raise ValueError("validation_fraction and test_fraction below 1 together: the rest is to train on")
        return self

    @model_validator(mode="after")
    def _has_both(self) -> DataSection:
        if (self.mean is None) != (self.std is None) or len(self.mean or ()) != len(self.std or ()):
            raise ValueError("mean and std together, with as many values each")
        return self

    @model_validator(mode="after")
    def _has_path(self) -> DataSection:
        from edgenas.data.registry import SOURCES

        if SOURCES[self.source].needs_path and not self.path:
            raise ValueError(f"a path, since source is {self.source} (set data.path)")
        return self


class SpaceSection(Section):
    """Which networks are searched."""

    name: PathText = Field("mobilenet_v3", description="A preset (see `edgenas spaces`) or the path of a YAML file.")
    around: Annotated[str, Field(min_length=1)] | None = Field(
        None,
        description="Instead of a name: a network, by its name in `edgenas zoo`, file or notation; the space is this "
        "network and all that is smaller by depth, kernel, expansion, width and resolution.",
    )
    resolutions: list[Resolution] | None = Field(
        None,
        description="Input sizes to choose from, pixels; the size of the images if left out, and with around also two "
        "thirds and five sixths of it.",
    )

    @model_validator(mode="after")
    def _one_of_both(self) -> SpaceSection:
        if self.around is not None and self.name != type(self).model_fields["name"].default:
            raise ValueError("one of name and around")
        return self
