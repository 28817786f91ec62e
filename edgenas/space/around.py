"""The space around a network: itself as the largest member, and all that is smaller by its own choices.

Every member takes parts of the network's weights: leading blocks of a stage, first channels, the centre of a kernel.
So a supernet of the space can start from the network's weights.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from math import gcd

from edgenas.arch.architecture import Architecture, Block, make_divisible
from edgenas.arch.block_kinds import BLOCK_KINDS
from edgenas.errors import SpaceError, explain
from edgenas.space.definition import (
    ChoiceField,
    Choices,
    Definition,
    HeadChoice,
    SqueezeRule,
    StageChoices,
    StemChoice,
)
from edgenas.space.kinds import SPACE_KINDS, SpaceKind
from edgenas.space.space import SearchSpace

WIDTHS = (0.75, 1.0)
"""Width multipliers. Where the narrower one cannot be told apart in a network, it is left out."""

EXPANSION_SHARES = (1 / 2, 2 / 3)
"""Smaller expansions, as shares of a block's own: of 6 they leave 3 and 4, once-for-all's (Cai 2020, section 4)."""

RESOLUTION_SHARES = (2 / 3, 5 / 6)
"""Smaller inputs, as shares of the network's own, rounded to `RESOLUTION_STEP`."""

RESOLUTION_STEP = 16
DIVISORS = (8, 4, 2, 1)
SMALLEST_KERNEL = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class _Run:
    """Blocks that become one stage: all but the first keep size and channels.

    Attributes:
        blocks: In order.
        in_channels: Channels coming into the first.
    """

    blocks: tuple[Block, ...]
    in_channels: int

    @property
    def removable(self) -> bool:
        """Whether the last blocks may be left out."""
        return len(self.blocks) > 1 and all(block.skip for block in self.blocks[1:])


def around(
    network: Architecture,
    *,
    name: str = "around",
    widths: Sequence[float] = WIDTHS,
    resolutions: Sequence[int] | None = None,
) -> SearchSpace:
    """Return the space of a network and of what is smaller by depth, kernel, expansion, width and resolution.

    Blocks with a residual addition may be left out from the end of a stage. Kernels shrink to 3. Expanded channels
    shrink to two thirds and a half, never below the channels coming in. Squeeze-and-excitation shrinks with them.

    Args:
        network: The largest member.
        name: Of the space.
        widths: Multipliers of all channels; 1 is added.
        resolutions: Of the input, pixels, at most the network's; None takes `RESOLUTION_SHARES` of it, and itself.

    Raises:
        SpaceError: A width or resolution is larger than the network's, or its squeeze-and-excitations are of several
            kinds, or have more channels than what they squeeze.
    """
    wanted, sizes = _widths(widths), _resolutions(network, resolutions)
    refused: SpaceError | None = None
    # Where two widths round to the same channels, or let two stages look alike, fewer widths remain.
    for narrowest in range(len(wanted)):
        try:
            space = SearchSpace(definition=_definition(network, name, wanted[narrowest:], sizes))
        except SpaceError as error:
            refused = refused or error
            continue
        if space.decode(space.largest()).digest == replace(network, resolution=max(sizes)).digest:
            return space
    raise refused or SpaceError(explain(f"no space can be made around {network!r}"))


def smaller_resolutions(resolution: int) -> tuple[int, ...]:
    """Return the input sizes of a space around a network: about two thirds, five sixths, and its own, pixels."""
    found = {round(resolution * share / RESOLUTION_STEP) * RESOLUTION_STEP for share in RESOLUTION_SHARES}
    return tuple(sorted({size for size in found if 2 * RESOLUTION_STEP <= size < resolution} | {resolution}))


def _widths(widths: Sequence[float]) -> tuple[float, ...]:
    if any(not 0 < width <= 1 for width in widths):
        raise SpaceError(explain("a width of a space around a network", got=list(widths), allowed="above 0, at most 1"))
    return tuple(sorted({*(float(width) for width in widths), 1.0}))


def _resolutions(network: Architecture, resolutions: Sequence[int] | None) -> tuple[int, ...]:
    if resolutions is None:
        return smaller_resolutions(network.resolution)
    if not resolutions or max(resolutions) > network.resolution:
        raise SpaceError(
            explain(
                "a resolution of a space around a network", got=list(resolutions),
                allowed=f"at most {network.resolution}", remedy="Give the network itself a larger resolution first.",
            )
        )
    return tuple(sorted(set(resolutions)))


def _definition(
    network: Architecture, name: str, widths: tuple[float, ...], resolutions: tuple[int, ...]
) -> Definition:
    runs = _runs(network)
    rule, divisor = _squeeze_rule(network, runs)
    deep = _deep_runs(runs)
    stem, head = network.stem, network.head
    return Definition(
        name=name,
        description=f"All that is smaller than the network {network.digest[:10]} by its own choices.",
        resolution=resolutions,
        width=widths,
        in_channels=network.in_channels,
        classes=network.classes,
        norm_eps=network.norm_eps,
        padding=network.padding,
        divisor=divisor,
        squeeze_rule=rule,
        stem=StemChoice(
            channels=stem.out_channels, kernel=stem.kernel, stride=stem.stride, activation=stem.activation
        ),
        head=HeadChoice(
            conv=head.conv_channels, hidden=head.hidden_channels, hidden_norm=head.hidden_norm,
            activation=head.activation,
        ),
        stages=tuple(_stage(run, rule, deep=index in deep) for index, run in enumerate(runs)),
    )  # fmt: skip


def _runs(network: Architecture) -> tuple[_Run, ...]:
    found: list[_Run] = []
    channels = network.stem.out_channels
    for block in network.blocks():
        last = found[-1].blocks[-1] if found else None
        follows = (
            last is not None
            and block.stride == 1
            and block.out_channels == channels
            and block.expand == last.expand
            and block.skip == _adds(found[-1], block)
        )
        if follows:
            found[-1] = replace(found[-1], blocks=(*found[-1].blocks, block))
        else:
            found.append(_Run(blocks=(block,), in_channels=channels))
        channels = block.out_channels
    return tuple(found)


def _adds(run: _Run, block: Block) -> bool:
    """Whether a block must add its input to follow the rule of the run's blocks that could; if none could, it may."""
    could = _additions(run)
    return could[0] if could else block.skip


def _additions(run: _Run) -> list[bool]:
    """Say of every block that could add its input whether it does."""
    return [
        block.skip for block, channels in _with_inputs(run) if block.stride == 1 and block.out_channels == channels
    ]


def _deep_runs(runs: Sequence[_Run]) -> set[int]:
    """Return which runs vary in depth.

    Of neighbouring runs with one number of channels and stride 1 a network does not show where one ends, so only the
    longest of them varies.
    """
    groups: list[list[int]] = []
    for index, run in enumerate(runs):
        meets = index > 0 and run.blocks[0].stride == 1 and run.in_channels == run.blocks[0].out_channels
        groups[-1].append(index) if meets else groups.append([index])
    removable = ([index for index in group if runs[index].removable] for group in groups)
    return {max(group, key=lambda index: len(runs[index].blocks)) for group in removable if group}


def _divisor(numbers: Iterable[int]) -> int:
    common = gcd(*numbers)
    return next(divisor for divisor in DIVISORS if common % divisor == 0)


def _squeeze_rule(network: Architecture, runs: Sequence[_Run]) -> tuple[SqueezeRule, int]:
    """Find the rule that gives every squeeze-and-excitation its channels, and the divisor of all channels."""
    own = [network.stem.out_channels, *(n for block in network.blocks() for n in (block.expanded, block.out_channels))]
    squeezed = [(block.se, channels) for run in runs for block, channels in _with_inputs(run) if block.se]
    kinds = {(se.activation, se.gate) for se, _ in squeezed}
    if len(kinds) > 1:
        raise SpaceError(
            explain(
                "no space can be made around a network whose squeeze-and-excitations are of several kinds",
                got=", ".join(f"{activation} and {gate}" for activation, gate in sorted(kinds)), allowed="one kind",
            )
        )
    wider = [se.channels for se, block in ((b.se, b) for b in network.blocks()) if se and se.channels > block.expanded]
    if wider:
        raise SpaceError(
            explain(
                "no space can be made around a network that squeezes to more channels than it has there", got=wider[0],
                allowed="at most the expanded channels",
            )
        )
    divisor = _divisor(own)
    if not kinds:
        return SqueezeRule(), divisor
    (activation, gate), = kinds
    if all(se.channels % divisor == 0 for se, _ in squeezed):
        return SqueezeRule(squeeze="expanded", activation=activation, gate=gate), divisor
    if all(se.channels <= channels for se, channels in squeezed):
        return SqueezeRule(squeeze="input", activation=activation, gate=gate), divisor
    divisor = _divisor([*own, *(se.channels for se, _ in squeezed)])
    return SqueezeRule(squeeze="expanded", activation=activation, gate=gate), divisor


def _with_inputs(run: _Run) -> list[tuple[Block, int]]:
    """Return the blocks of a run with the channels coming into each."""
    inputs = [run.in_channels, *(block.out_channels for block in run.blocks)]
    return list(zip(run.blocks, inputs, strict=False))


def _stage(run: _Run, rule: SqueezeRule, *, deep: bool) -> StageChoices:
    first = run.blocks[0]
    own = [_block_choices(block, channels, rule) for block, channels in _with_inputs(run)]
    last = own[-1]
    differing = [tuple((field, values) for field, values in found.items() if last[field] != values) for found in own]
    # What equals the last block's choices needs no saying.
    later = differing[1:]
    while later and not later[-1]:
        later.pop()
    could_add = _additions(run)
    return StageChoices(
        out=(first.out_channels,),
        depth=tuple(range(1, len(own) + 1)) if deep else (len(own),),
        stride=first.stride,
        absolute=True,
        first=tuple(sorted(differing[0])),
        later=tuple(tuple(sorted(found)) for found in later),
        keep_expand=first.expand,
        residual=could_add[0] if could_add else None,
        **last,  # type: ignore[arg-type]
    )


def _block_choices(block: Block, channels: int, rule: SqueezeRule) -> dict[ChoiceField, Choices]:
    universal = block.start_kernel > 0 or block.kernel == 0
    kind = next(name for name in SPACE_KINDS if _is_kind(SPACE_KINDS[name], block.kind, universal=universal))
    return {
        "kind": (kind,),
        "start_kernel": _kernels(block.start_kernel),
        "kernel": _kernels(block.kernel),
        "expansion": _expansions(block, channels),
        "squeeze_excite": (_ratio(block, channels, rule),),
        "activation": (block.activation,),
    }


def _is_kind(kind: SpaceKind, block: str, *, universal: bool) -> bool:
    return kind.block == block and kind.universal == universal


def _kernels(kernel: int) -> tuple[int, ...]:
    return tuple(range(SMALLEST_KERNEL, kernel, 2)) + (kernel,)


def _expansions(block: Block, channels: int) -> tuple[int, ...]:
    """Return the choices of expanded channels, in multiples of 8 up to the block's own."""
    own = block.expanded
    if not BLOCK_KINDS[block.kind].projected or not block.expand:
        return (own,)
    smaller = {make_divisible(own * share) for share in EXPANSION_SHARES}
    return (*sorted(found for found in smaller if channels <= found < own), own)


def _ratio(block: Block, channels: int, rule: SqueezeRule) -> float:
    """Return the ratio that gives the block its squeezed channels by the rule."""
    if block.se is None:
        return 0.0
    if rule.squeeze == "expanded":
        return block.se.channels / block.expanded
    # The rule takes the integer part, so the ratio aims at the middle.
    return min(1.0, (block.se.channels + 0.5) / channels) if block.se.channels < channels else 1.0
