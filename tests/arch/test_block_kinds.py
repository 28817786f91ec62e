"""What the row of a kind of block says is what it lowers to."""

from __future__ import annotations

import pytest

from edgenas.arch import BLOCK_KINDS, Architecture, Block, Head, SqueezeExcite, Stage, Stem, lower
from edgenas.arch.notation import format_notation, parse_notation
from edgenas.arch.short_names import by_short_name, short_name
from edgenas.errors import ArchitectureError


def with_block(block: Block) -> Architecture:
    return Architecture(
        resolution=9,
        stem=Stem(out_channels=8),
        stages=(Stage(blocks=(block,)),),
        head=Head(conv_channels=0),
        classes=2,
    )


def one(name: str, **given: object) -> Architecture:
    out = 12
    values = {"expanded": 20 if BLOCK_KINDS[name].projected else out, "out_channels": out, **given}
    return with_block(Block(kind=name, **values))  # type: ignore[arg-type]


def parts(architecture: Architecture) -> dict[str, int]:
    """Channels of each convolution of the block, in order."""
    ops = [op for op in lower(architecture).ops if op.block == "stages.0.0" and op.kind == "conv"]
    return {op.name.removeprefix("stages.0.0."): op.shape.channels for op in ops}


@pytest.mark.parametrize("name", BLOCK_KINDS.names())
def test_a_row_names_the_parts_that_widen_a_block_and_make_its_result(name: str) -> None:
    found, row = parts(one(name)), BLOCK_KINDS[name]
    assert list(found)[0] == row.widening and list(found)[-1] == row.result
    assert found[row.widening] == (20 if row.projected else 12) and found[row.result] == 12
    assert (row.result == "project") == row.projected
    assert ("depthwise" in found) == row.depthwise


@pytest.mark.parametrize("name", BLOCK_KINDS.names())
def test_a_row_says_what_a_block_may_leave_out(name: str) -> None:
    row = BLOCK_KINDS[name]
    for given in ({"start_kernel": 3}, {"kernel": 0}, {"expand": False, "expanded": 8 if row.projected else 12}):
        if row.depthwise:
            assert len(parts(one(name, **given))) == (4 if "start_kernel" in given else 2)
        else:
            with pytest.raises(ArchitectureError, match="is for mbconv only|kernel must be odd"):
                one(name, **given)
    se = SqueezeExcite(channels=4)
    if row.projected:
        assert parts(one(name, se=se))["excite"] == 20
    else:
        with pytest.raises(ArchitectureError, match="squeeze-excite needs an mbconv or fused block"):
            one(name, se=se)
        with pytest.raises(ArchitectureError, match=f"{name} block: expanded must equal out_channels"):
            one(name, expanded=20)


def test_plain_convolutions_alone_are_not_residual_unless_told() -> None:
    assert {name: BLOCK_KINDS[name].residual for name in BLOCK_KINDS} == {"mbconv": True, "fused": True, "conv": False}


@pytest.mark.parametrize("name", BLOCK_KINDS.names())
def test_a_block_of_equal_channels_is_residual_in_the_notation_where_its_row_says_so(name: str) -> None:
    short = short_name(BLOCK_KINDS, name)
    assert by_short_name(BLOCK_KINDS, short) == name
    wide = "x20_" if BLOCK_KINDS[name].projected else ""
    read = parse_notation(f"r9 | stem_k3_s2_c8_re | {short}_k3_{wide}c8_re | head | n2")
    (block,) = read.blocks()
    assert block.kind == name and block.skip == BLOCK_KINDS[name].residual
    assert parse_notation(format_notation(read)) == read


def test_an_unknown_kind_is_refused_with_all_that_there_are() -> None:
    with pytest.raises(ArchitectureError, match=r"unknown kind; got 'ghost'; allowed: mbconv, fused, conv"):
        Block(kind="ghost", expanded=8, out_channels=8)
    with pytest.raises(ArchitectureError, match=r"no kind of block; allowed: mb, fu, cv"):
        parse_notation("r9 | stem_k3_s2_c8_re | gh_k3_c8_re | head | n2")
