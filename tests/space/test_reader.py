"""What a user may write, and how everything else is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgenas.errors import SpaceError
from edgenas.space import load, read

GOOD = """
name: mine
resolution: [24, 32]
classes: 5
stem: {channels: 8, stride: 1}
head: {conv: 32}
defaults: {kernel: [3, 5]}
stages:
  - {out: 8, expansion: 1, depth: [1, 2]}
  - {out: 16, stride: 2, expansion: [2, 2.5], squeeze_excite: [false, true], per: {kernel: stage}}
  - {out: 24, stride: 2, expanded: [48, 96], first: {kernel: 5, expanded: 64}, depth: 2}
"""


def test_a_users_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(GOOD, encoding="utf-8")
    space = load(path)
    first, second, third = space.definition.stages
    assert (first.kernel, first.expansion, first.depth) == ((3, 5), (1.0,), (1, 2))
    assert (second.expansion, second.squeeze_excite, second.stage_wide) == ((2.0, 2.5), (0.0, 0.25), ("kernel",))
    assert (third.expansion, third.absolute) == ((48, 96), True)
    assert dict(third.first) == {"expansion": (64,), "kernel": (5,)}
    network = space.decode(space.largest())
    assert [block.expanded for block in network.stages[2].blocks] == [64, 96]
    assert [block.kernel for block in network.stages[2].blocks] == [5, 5]


REFUSED = [
    ("stem: {channels: 8, stride: 1}", "stem: {chanels: 8}", r"stem\.chanels: unknown key.*did you mean 'channels'"),
    ("classes: 5", "classes: five", r"classes: must be a whole number; got 'five'"),
    ("classes: 5", "classes: true", r"classes: must be a whole number"),
    ("classes: 5", "classes: 0", r"classes: impossible value; got 0"),
    ("classes: 5", "norm_eps: 1e-x", r"norm_eps: must be a number; got '1e-x'"),
    ("classes: 5", "width: [1.0, 0.5]", r"width: values must ascend"),
    ("classes: 5", "width: [0.97, 1.0]", r"width: two multipliers round to the same"),
    ("classes: 5", "divisor: 16", r"stem\.channels: channels must be multiples of the divisor; got 8"),
    ("classes: 5", "classes: 5\nclasses: 6", r"'classes' is given twice"),
    ("name: mine", "description: x", r"name: is missing"),
    ("resolution: [24, 32]", "resolution: [24, 24]", r"resolution: a value is given twice"),
    ("depth: [1, 2]}", "depth: [0, 2]}", r"stages\[0\]\.depth: impossible value; got 0"),
    ("depth: [1, 2]}", "depth: [1, two]}", r"stages\[0\]\.depth\[1\]: must be a whole number; got 'two'"),
    ("depth: [1, 2]}", "activation: swish}", r"stages\[0\]\.activation: unknown value.*hard_swish"),
    ("depth: [1, 2]}", "kernel: 4}", r"stages\[0\]\.kernel: a kernel must be odd; got 4"),
    ("depth: [1, 2]}", "kernel: [0, 3]}", r"stages\[0\]\.kernel: 0 \(no depthwise\) is for uib only"),
    ("depth: [1, 2]}", "start_kernel: 3}", r"stages\[0\]\.start_kernel: is for uib only"),
    ("depth: [1, 2]}", "kind: skip}", r"stages\[0\].*first block"),
    ("depth: [1, 2]}", "kind: [mbconv, skip], depth: 2, per: stage}", r"stages\[0\]\.kind: a skip is chosen for every"),
    ("depth: [1, 2]}", "expanded: 16}", r"stages\[0\]: give expansion \(ratios\) or expanded"),
    ("depth: [1, 2]}", "out: 12}", r"key 'out' is given twice"),
    ("per: {kernel: stage}", "per: row", r"stages\[1\]\.per: unknown value; got 'row'; allowed: stage, block"),
    ("per: {kernel: stage}", "per: {kernels: stage}", r"stages\[1\]\.per\.kernels: unknown key.*'kernel'"),
    ("kernel: 5, expanded: 64", "kernel: 5, expansion: 2", r"stages\[2\]\.first: expansion and expanded"),
    ("{out: 16, stride: 2,", "{out: 8, stride: 1, depth: [1, 2],", r"stages\[1\]: .*same network under two codes"),
    ("name: mine", "name: mine\n- x", r"not YAML"),
]


@pytest.mark.parametrize(("old", "new", "message"), REFUSED)
def test_a_mistake_is_refused_with_its_path(old: str, new: str, message: str) -> None:
    assert GOOD.count(old) == 1
    with pytest.raises(SpaceError, match=message) as caught:
        read(GOOD.replace(old, new), source="my.yaml")
    assert str(caught.value).startswith(("my.yaml: ", "my.yaml, line "))


@pytest.mark.parametrize("text", ["", "[]", "3", "name: x"])
def test_what_is_no_space_at_all_is_refused(text: str) -> None:
    with pytest.raises(SpaceError):
        read(text)


def test_a_first_block_with_stride_2_cannot_share_a_kernel_of_0() -> None:
    shared = GOOD.replace("{out: 16, stride: 2,", "{out: 16, stride: 2, kind: uib, kernel: [0, 3],")
    with pytest.raises(SpaceError, match=r"stages\[1\]\.kernel: the first block has stride 2.*first"):
        read(shared)


def test_the_example_of_the_documentation_is_a_space() -> None:
    page = Path(__file__).parents[2] / "docs" / "spaces.md"
    example = page.read_text(encoding="utf-8").split("```yaml\n")[1].split("```")[0]
    space = read(example, source="docs/spaces.md")
    assert space.size < space.raw_size
