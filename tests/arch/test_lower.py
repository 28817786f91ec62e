import numpy as np
from hypothesis import given

from edgenas.arch import lower
from edgenas.arch.zoo import published
from tests.arch.strategies import architectures


@given(architectures())
def test_every_operation_reads_only_what_stands_before_it_and_names_are_unique(architecture) -> None:
    graph = lower(architecture)
    seen: set[str] = set()
    for op in graph.ops:
        assert op.name not in seen
        assert set(op.inputs) <= seen
        seen.add(op.name)
    assert graph.output.shape == (architecture.classes, 1, 1)


@given(architectures())
def test_shapes_follow_the_rule_of_a_padded_convolution(architecture) -> None:
    for op, sources in lower(architecture).with_inputs():
        if op.kind == "conv":
            assert op.shape.height == int(np.ceil(sources[0].shape.height / op.stride))
        if op.kind in ("act", "add", "mul"):
            assert op.shape == sources[0].shape


def test_the_order_within_a_block_is_expand_depthwise_squeeze_project_add() -> None:
    names = [op.name for op in lower(published("mobilenet_v3_large")).ops if op.block == "stages.2.1"]
    assert [name.removeprefix("stages.2.1.") for name in names] == [
        "expand", "expand.act", "depthwise", "depthwise.act", "squeeze_pool", "squeeze", "squeeze.act",
        "excite", "excite.act", "scale", "project", "add",
    ]  # fmt: skip
