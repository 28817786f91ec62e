"""Hypothesis strategies for architectures: small ones, but with every kind of block."""

from hypothesis import strategies as st

from edgenas.arch import ACTIVATIONS, GATES, PADDING_RULES, Architecture, Block, Head, SqueezeExcite, Stage, Stem

_channels = st.integers(1, 6).map(lambda n: 4 * n)
_activation = st.sampled_from(ACTIVATIONS.names())


@st.composite
def blocks(draw, channels: int) -> Block:
    kind = draw(st.sampled_from(("mbconv", "mbconv", "fused", "conv")))
    stride = draw(st.sampled_from((1, 1, 2)))
    out = draw(st.one_of(st.just(channels), _channels))
    start, kernel = 0, draw(st.sampled_from((3, 5)))
    expand = True
    if kind == "mbconv":
        start = draw(st.sampled_from((0, 0, 3)))
        kernel = draw(st.sampled_from((3, 5, 7) if stride == 2 else (0, 3, 5)))
        expand = draw(st.booleans()) or kernel == 0
    expanded = out if kind == "conv" else draw(_channels) if expand else channels
    squeeze = st.builds(SqueezeExcite, channels=_channels, activation=_activation, gate=st.sampled_from(GATES.names()))
    return Block(
        kind=kind,
        kernel=kernel,
        expanded=expanded,
        out_channels=out,
        stride=stride,
        activation=draw(_activation),
        expand=expand,
        start_kernel=start,
        se=None if kind == "conv" else draw(st.none() | squeeze),
        skip=stride == 1 and out == channels and draw(st.booleans()),
    )


@st.composite
def architectures(draw, max_resolution: int = 48) -> Architecture:
    stem = Stem(
        out_channels=draw(_channels),
        stride=draw(st.sampled_from((1, 2))),
        activation=draw(_activation),
        kernel=draw(st.sampled_from((3, 5))),
    )
    channels, stages = stem.out_channels, []
    for _ in range(draw(st.integers(1, 3))):
        stage = []
        for _ in range(draw(st.integers(1, 3))):
            stage.append(draw(blocks(channels)))
            channels = stage[-1].out_channels
        stages.append(Stage(blocks=tuple(stage)))
    conv, hidden = draw(st.sampled_from((0, 16))), draw(st.sampled_from((0, 24)))
    activation = draw(_activation) if conv or hidden else "relu"
    head = Head(
        conv_channels=conv,
        hidden_channels=hidden,
        hidden_norm=hidden > 0 and draw(st.booleans()),
        activation=activation,
    )
    return Architecture(
        resolution=draw(st.integers(5, max_resolution)),
        in_channels=draw(st.sampled_from((1, 3))),
        stem=stem,
        stages=tuple(stages),
        head=head,
        classes=draw(st.integers(2, 12)),
        norm_eps=draw(st.sampled_from((1e-3, 1e-5))),
        padding=draw(st.sampled_from(PADDING_RULES)),
    )
