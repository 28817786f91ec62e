import pytest
from hypothesis import given

from edgenas.arch.notation import format_notation, parse_notation
from edgenas.arch.zoo import NAMES, published
from edgenas.errors import ArchitectureError
from tests.arch.strategies import architectures

SMALL = "r32 | stem_k3_s1_c8_hs | mb_k3_c8_re | mb_k5_s2_e4_c16_se8_hs mb_k3_x48_c16_hs*2 | head_c64_hs | n10"


@pytest.mark.parametrize("name", NAMES)
def test_every_published_network_survives_a_round_trip(name: str) -> None:
    assert parse_notation(format_notation(published(name))) == published(name)


@given(architectures())
def test_any_architecture_survives_a_round_trip(architecture) -> None:
    assert parse_notation(format_notation(architecture)) == architecture


def test_a_typed_string_gets_its_defaults() -> None:
    architecture = parse_notation(SMALL)
    blocks = list(architecture.blocks())
    assert [block.out_channels for block in blocks] == [8, 16, 16, 16]
    assert [block.expanded for block in blocks] == [8, 32, 48, 48]
    assert [block.skip for block in blocks] == [True, False, True, True]
    assert architecture.in_channels == 3


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("r32 | stem_c8", "input | stem | stages | head | classes"),
        (SMALL.replace("n10", "n10_q3"), "unknown token; got q"),
        (SMALL.replace("_c16_se8", "_se8"), "c is missing"),
        (SMALL.replace("mb_k5", "zz_k5"), "no kind of block"),
        (SMALL.replace("se8", "se8-foo-bar"), "squeeze-excite"),
        (SMALL.replace("*2", "*x"), "repetition"),
        (SMALL.replace("k5", "k4"), "must be odd"),
        (SMALL.replace("k5", "k5_k3"), "stands twice"),
        (SMALL.replace("stem_", "stm_"), "must be the stem"),
        (SMALL.replace("_hs mb", "_hs_re mb"), "only one of these"),
        (SMALL.replace("r32", "r3.5"), "must be whole"),
    ],
)
def test_a_mistake_is_named(text: str, message: str) -> None:
    with pytest.raises(ArchitectureError, match=message.replace("|", r"\|")):
        parse_notation(text)
