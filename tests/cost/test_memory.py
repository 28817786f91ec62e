from hypothesis import given

from edgenas.arch import Architecture, Block, Head, Stage, Stem, lower
from edgenas.cost import live_elements, peak_activation_bytes
from tests.arch.strategies import architectures


def _residual_network(skip: bool) -> Architecture:
    block = Block(expanded=32, out_channels=8, skip=skip)
    return Architecture(
        resolution=16,
        in_channels=1,
        stem=Stem(out_channels=8, stride=1),
        stages=(Stage(blocks=(block,)),),
        head=Head(conv_channels=0),
        classes=10,
    )


def test_a_skip_keeps_its_input_alive_through_the_block() -> None:
    # At the depthwise convolution: 32 channels in and out, and with a skip the 8 channels that are added later.
    assert peak_activation_bytes(lower(_residual_network(False))) == 4 * 16 * 16 * (32 + 32)
    assert peak_activation_bytes(lower(_residual_network(True))) == 4 * 16 * 16 * (32 + 32 + 8)


def test_int8_needs_a_quarter() -> None:
    graph = lower(_residual_network(True))
    assert peak_activation_bytes(graph, "int8") * 4 == peak_activation_bytes(graph)


@given(architectures())
def test_lifetimes_agree_with_a_simulation_by_reference_counts(architecture) -> None:
    graph = lower(architecture)
    readers = {op.name: sum(op.name in other.inputs for other in graph.ops) for op in graph.ops}
    readers[graph.output.name] += 1
    alive, counts = {}, []
    for op in graph.ops:
        in_place = op.kind == "act" and readers[op.inputs[0]] == 1
        if in_place:
            del alive[op.inputs[0]]
        alive[op.name] = op.shape.elements
        counts.append(sum(alive.values()))
        for name in op.inputs:
            readers[name] -= 1
            if readers[name] == 0 and name in alive:
                del alive[name]
    assert tuple(counts) == live_elements(graph)
