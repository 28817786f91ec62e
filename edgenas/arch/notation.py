"""A short string for a network that a person can type.

    r224 | stem_k3_s2_c16_hs | mb_k3_c16_re | mb_k3_s2_x64_c24_re mb_k3_x72_c24_re | ... | head_c960_f1280_hs | n1000

Parts are separated by `|`: the input (`r` resolution, `i` input channels if not 3, `eps` if not 1e-3, `same`
for the padding of TensorFlow), the stem,
one part a stage, the head, `n` classes. Blocks of a stage are separated by blanks; `*3` repeats one. Tokens:

    mb fu cv      kind: mbconv, fused, conv
    k3            kernel (k0: no middle depthwise)        a5    start depthwise of that size
    s2            stride, 1 if left out                   c24   channels out
    x72, e6       expanded channels, or a factor of the channels coming in; left out: no expansion convolution
    re r6 hs si   relu, relu6, hard_swish, silu; a package may add others
    se24          squeeze-excite to 24 channels (relu, hard_sigmoid); se24-si-sig: other activation and gate
    add, noadd    an mb or fu block is residual where it can be unless `noadd`; a cv block only with `add`
    f1280, fn1280 (head) hidden layer after pooling; fn: with batch norm
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any

from edgenas.arch import limits
from edgenas.arch.activations import ACTIVATIONS, GATES
from edgenas.arch.architecture import Architecture, Block, Head, SqueezeExcite, Stage, Stem
from edgenas.arch.block_kinds import BLOCK_KINDS
from edgenas.arch.short_names import NUMBERED, by_short_name, short_name
from edgenas.errors import ArchitectureError, explain
from edgenas.reading.numbers import DIGITS
from edgenas.registry import Registry

_DEFAULT_EPS = 1e-3


def format_notation(architecture: Architecture) -> str:
    """Return the notation of an architecture; `parse_notation` gives the same value back.

    Args:
        architecture: Any architecture.
    """
    header = f"r{architecture.resolution}"
    header += f"_i{architecture.in_channels}" if architecture.in_channels != 3 else ""
    header += f"_eps{architecture.norm_eps!r}" if architecture.norm_eps != _DEFAULT_EPS else ""
    header += f"_{architecture.padding}" if architecture.padding != "symmetric" else ""
    stem = architecture.stem
    short = short_name(ACTIVATIONS, stem.activation)
    parts = [header, f"stem_k{stem.kernel}_s{stem.stride}_c{stem.out_channels}_{short}"]
    channels = stem.out_channels
    for stage in architecture.stages:
        tokens = []
        for block in stage.blocks:
            tokens.append(_format_block(block, channels))
            channels = block.out_channels
        parts.append(" ".join(_run_lengths(tokens)))
    parts += [_format_head(architecture.head), f"n{architecture.classes}"]
    return " | ".join(parts)


def _run_lengths(tokens: Sequence[str]) -> list[str]:
    runs: list[list[object]] = []
    for token in tokens:
        if runs and runs[-1][0] == token:
            runs[-1][1] = int(str(runs[-1][1])) + 1
        else:
            runs.append([token, 1])
    return [f"{token}*{count}" if count != 1 else str(token) for token, count in runs]


def _format_block(block: Block, channels: int) -> str:
    tokens = [short_name(BLOCK_KINDS, block.kind)]
    tokens += [f"a{block.start_kernel}"] if block.start_kernel else []
    tokens.append(f"k{block.kernel}")
    tokens += [f"s{block.stride}"] if block.stride != 1 else []
    tokens += [f"x{block.expanded}"] if BLOCK_KINDS[block.kind].projected and block.expand else []
    tokens.append(f"c{block.out_channels}")
    if block.se is not None:
        se = f"se{block.se.channels}"
        if (block.se.activation, block.se.gate) != ("relu", "hard_sigmoid"):
            se += f"-{short_name(ACTIVATIONS, block.se.activation)}-{short_name(GATES, block.se.gate)}"
        tokens.append(se)
    tokens.append(short_name(ACTIVATIONS, block.activation))
    if block.skip != _default_skip(block.kind, block.stride, channels, block.out_channels):
        tokens.append("add" if block.skip else "noadd")
    return "_".join(tokens)


def _default_skip(kind: str, stride: int, channels: int, out_channels: int) -> bool:
    return BLOCK_KINDS[kind].residual and stride == 1 and channels == out_channels


def _format_head(head: Head) -> str:
    tokens = ["head"]
    tokens += [f"c{head.conv_channels}"] if head.conv_channels else []
    tokens += [f"{'fn' if head.hidden_norm else 'f'}{head.hidden_channels}"] if head.hidden_channels else []
    tokens += [short_name(ACTIVATIONS, head.activation)] if len(tokens) > 1 else []
    return "_".join(tokens)


_NUMBER = re.compile(r"([a-z]+)([0-9.]+(?:e-?[0-9]+)?)((?:-[a-z0-9]+)*)$")


class _Tokens:
    """The tokens of one element, consumed by name. A token that nobody consumed is an error."""

    def __init__(self, text: str, *, activations: bool = True) -> None:
        self.text = text
        self.flags: list[str] = []
        self.values: dict[str, tuple[str, str]] = {}
        for token in text.split("_"):
            match = _NUMBER.match(token)
            if match is None or (activations and match[1] not in NUMBERED and by_short_name(ACTIVATIONS, token)):
                self.flags.append(token)
            elif match[1] in self.values:
                raise ArchitectureError(explain(f"{text!r}: {match[1]} stands twice"))
            else:
                self.values[match[1]] = (match[2], match[3])

    def flag(self, names: Sequence[str]) -> str | None:
        found = [name for name in self.flags if name in names]
        if len(found) > 1:
            raise ArchitectureError(explain(f"{self.text!r}: only one of these can stand here", got=", ".join(found)))
        if found:
            self.flags.remove(found[0])
        return found[0] if found else None

    def named(self, registry: Registry[Any]) -> str | None:
        """Take the entry of a registry that stands here, by its short name."""
        short = self.flag([flag for flag in self.flags if by_short_name(registry, flag)])
        return None if short is None else by_short_name(registry, short)

    def real(self, name: str) -> float | None:
        if name not in self.values:
            return None
        digits, suffix = self.values.pop(name)
        try:
            number = float(digits) if len(digits) <= DIGITS else math.nan
        except ValueError:
            number = math.nan
        if suffix or not math.isfinite(number):
            raise ArchitectureError(explain(f"{self.text!r}: {name} needs a finite number", got=repr(digits + suffix)))
        return number

    def integer(self, name: str, default: int | None = None) -> int:
        number = self.real(name)
        if number is None:
            if default is None:
                raise ArchitectureError(explain(f"{self.text!r}: {name} is missing", remedy=f"Write {name}16 or so."))
            return default
        if number != int(number):
            raise ArchitectureError(explain(f"{self.text!r}: {name} must be whole", got=number))
        return int(number)

    def finish(self, allowed: str) -> None:
        left = self.flags + list(self.values)
        if left:
            raise ArchitectureError(explain(f"{self.text!r}: unknown token", got=", ".join(left), allowed=allowed))


def parse_notation(text: str) -> Architecture:
    """Read an architecture from its notation.

    Args:
        text: See the module's description.

    Raises:
        ArchitectureError: A part or token that is missing, unknown or impossible, named with its place.
    """
    if len(text) > limits.NOTATION_LETTERS:
        got, allowed = f"{len(text):,} letters", f"{limits.NOTATION_LETTERS:,}"
        raise ArchitectureError(explain("the notation is too long", got=got, allowed=allowed))
    parts = [part.strip() for part in text.strip().split("|")]
    if len(parts) < 4:
        raise ArchitectureError(
            explain(
                "a notation needs input | stem | stages | head | classes",
                got=repr(text[:60]),
                remedy="Compare with the output of `edgenas show mobilenet_v2`.",
            )
        )
    header, classes = _Tokens(parts[0], activations=False), _Tokens(parts[-1])
    eps = header.real("eps")
    resolution, in_channels = header.integer("r"), header.integer("i", 3)
    same = header.flag(["same"])
    header.finish("r, i, eps, same")
    count = classes.integer("n")
    classes.finish("n")
    stem = _parse_stem(parts[1])
    stages: list[Stage] = []
    channels = stem.out_channels
    for part in parts[2:-2]:
        blocks: list[Block] = []
        for element in part.split():
            element, star, times = element.partition("*")
            for _ in range(_repetitions(element, times) if star else 1):
                blocks.append(_parse_block(element, channels))
                channels = blocks[-1].out_channels
        stages.append(Stage(blocks=tuple(blocks)))
    return Architecture(
        resolution=resolution,
        in_channels=in_channels,
        stem=stem,
        stages=tuple(stages),
        head=_parse_head(parts[-2]),
        classes=count,
        norm_eps=_DEFAULT_EPS if eps is None else eps,
        padding="symmetric" if same is None else "same",
    )


def _repetitions(element: str, times: str) -> int:
    count = int(times) if re.fullmatch("[0-9]{1,9}", times) else 0
    if not 1 <= count <= limits.BLOCKS:
        what = f"{element!r}: the repetition must be a number"
        raise ArchitectureError(explain(what, got=repr(times), allowed=f"1 to {limits.BLOCKS}"))
    return count


def _parse_stem(text: str) -> Stem:
    tokens = _Tokens(text)
    if tokens.flag(["stem"]) is None:
        raise ArchitectureError(
            explain("the second part must be the stem", got=repr(text), allowed="stem_k3_s2_c16_hs")
        )
    stem = Stem(
        kernel=tokens.integer("k", 3),
        stride=tokens.integer("s", 2),
        out_channels=tokens.integer("c"),
        activation=tokens.named(ACTIVATIONS) or "relu",
    )
    tokens.finish("k, s, c and an activation")
    return stem


def _parse_head(text: str) -> Head:
    tokens = _Tokens(text)
    if tokens.flag(["head"]) is None:
        raise ArchitectureError(
            explain("the last part but one must be the head", got=repr(text), allowed="head_c1280_r6")
        )
    normed = tokens.integer("fn", 0)
    head = Head(
        conv_channels=tokens.integer("c", 0),
        hidden_channels=normed or tokens.integer("f", 0),
        hidden_norm=normed > 0,
        activation=tokens.named(ACTIVATIONS) or "relu",
    )
    tokens.finish("c, f or fn, and an activation")
    return head


def _parse_se(tokens: _Tokens) -> SqueezeExcite | None:
    if "se" not in tokens.values:
        return None
    digits, suffix = tokens.values.pop("se")
    names = [name for name in suffix.split("-") if name]
    if not re.fullmatch("[0-9]{1,9}", digits) or len(names) not in (0, 2):
        raise ArchitectureError(
            explain(f"{tokens.text!r}: squeeze-excite", got=repr("se" + digits + suffix), allowed="se24 or se24-si-sig")
        )
    short = names or ["re", "hsig"]
    activation, gate = by_short_name(ACTIVATIONS, short[0]), by_short_name(GATES, short[1])
    if activation is None or gate is None:
        shorts = ["/".join(registry[name].short for name in registry) for registry in (ACTIVATIONS, GATES)]
        what = f"{tokens.text!r}: squeeze-excite"
        raise ArchitectureError(explain(what, got=suffix, allowed=" and ".join(shorts)))
    return SqueezeExcite(channels=int(digits), activation=activation, gate=gate)


def _parse_block(text: str, channels: int) -> Block:
    tokens = _Tokens(text)
    kind = tokens.named(BLOCK_KINDS)
    if kind is None:
        allowed = ", ".join(BLOCK_KINDS[name].short for name in BLOCK_KINDS)
        raise ArchitectureError(explain(f"{text!r}: no kind of block", allowed=allowed))
    row = BLOCK_KINDS[kind]
    out_channels, stride = tokens.integer("c"), tokens.integer("s", 1)
    factor = tokens.real("e")
    wide = tokens.integer("x", 0 if factor is None else round(factor * channels))
    expand = not row.depthwise or wide > 0
    sum_flag = tokens.flag(["add", "noadd"])
    block = Block(
        kind=kind,
        kernel=tokens.integer("k", 3),
        expanded=(wide or channels) if row.projected else out_channels,
        out_channels=out_channels,
        stride=stride,
        activation=tokens.named(ACTIVATIONS) or "relu",
        expand=expand,
        start_kernel=tokens.integer("a", 0),
        se=_parse_se(tokens),
        skip=_default_skip(kind, stride, channels, out_channels) if sum_flag is None else sum_flag == "add",
    )
    tokens.finish("k, a, s, x or e, c, se, add, noadd and an activation")
    return block
