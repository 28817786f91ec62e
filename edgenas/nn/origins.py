"""Where weights come from, and what their names and shapes do not say: the epsilon of the norms and the padding.

The `tf_` networks of timm have the same names as its others, but pad as TensorFlow does and have another epsilon.
Networks of other authors may put squeeze-excite before the activation. Such weights would load without an error and
compute something else. So weights of unclear origin are refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from edgenas.arch.architecture import Architecture
from edgenas.arch.padding import PaddingRule
from edgenas.errors import WeightsError, explain

Package = Literal["torchvision", "timm", "timm_tf", "efficientnet_pytorch"]
"""`timm_tf` are its networks whose names begin with tf_; `efficientnet_pytorch` is the network code of the PyPI
packages efficientnet-pytorch and efficientnet-lite-pytorch."""
PACKAGES: tuple[Package, ...] = get_args(Package)

# A state dict does not say which epsilon its norms had. torchvision and timm leave it at torch's 1e-5, but for two
# families of torchvision: MobileNetV3, and EfficientNet-B5 to B7, which have more blocks than the 32 of B4. Networks
# that were trained in TensorFlow have its 1e-3.
TORCH_EPS, TENSORFLOW_EPS = 1e-5, 1e-3
_BLOCKS_OF_B4 = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """What all networks of a package have in common.

    Attributes:
        padding: How they pad.
        eps: Epsilon of the norms of one of them.
    """

    padding: PaddingRule
    eps: Callable[[Architecture], float]


def _torchvision_eps(architecture: Architecture) -> float:
    activation = architecture.stem.activation
    large = activation == "silu" and len(tuple(architecture.blocks())) > _BLOCKS_OF_B4
    return TENSORFLOW_EPS if activation == "hard_swish" or large else TORCH_EPS


ORIGINS: dict[Package, Origin] = {
    "torchvision": Origin(padding="symmetric", eps=_torchvision_eps),
    "timm": Origin(padding="symmetric", eps=lambda _: TORCH_EPS),
    "timm_tf": Origin(padding="same", eps=lambda _: TENSORFLOW_EPS),
    "efficientnet_pytorch": Origin(padding="same", eps=lambda _: TENSORFLOW_EPS),
}

_ARRAY = r"(weight|bias|running_mean|running_var)"
_TORCHVISION = {
    "mobilenet_v2": rf"features\.\d+\.([01]\.{_ARRAY}|conv\.(\d\.[01]|[1-3])\.{_ARRAY})",
    "mobilenet_v3 or efficientnet": rf"features\.\d+\.(\d+\.)?([01]|block\.\d\.([01]|fc[12]))\.{_ARRAY}",
    "mnasnet": rf"layers\.\d+\.(\d+\.layers\.\d+\.)?{_ARRAY}",
}
_TORCHVISION_CLASSIFIER = rf"classifier\.\d+\.{_ARRAY}"
_TIMM = (
    r"(conv_stem|bn1|blocks\.\d+\.\d+\.(conv|bn\d|conv_dw|conv_pw|conv_pwl|conv_exp|pw_exp|pw_proj|dw_start|dw_mid|"
    rf"se|layer_scale)(\.(conv|bn|conv_reduce|conv_expand))?|conv_head|bn2|norm_head|classifier)\.{_ARRAY}"
)
# Names that timm and its files give to networks of its own training: "efficientnet_b0_ra-3dd342df.pth",
# "mobilenetv2_100".
_TIMM_FILE = r"(?<![a-z0-9])(tf_)?(mobilenetv[234]|efficientnet|mnasnet|semnasnet|spnasnet|fbnetc|mixnet|lcnet)"
_ORIGINAL = (
    r"(_conv_stem|_bn[01]|_conv_head|_fc|_blocks\.\d+\.(_expand_conv|_depthwise_conv|_se_reduce|_se_expand|"
    rf"_project_conv|_bn[012]))\.{_ARRAY}"
)


def package_of(names: list[str], *, squeezed: bool, package: Package | None, path: Path | None) -> Package:
    """Tell which package the weights are from.

    Args:
        names: Of the arrays, without prefixes.
        squeezed: Whether the network has squeeze-excite.
        package: The package that the user named; None tells it from names.
        path: Of the file, whose name tells the networks of timm apart.

    Raises:
        WeightsError: It cannot be told, or the file's name contradicts the user.
    """
    if package is not None:
        return _named(package, path)
    if _is_torchvision(names, squeezed=squeezed):
        return "torchvision"
    if all(re.fullmatch(_ORIGINAL, name) for name in names):
        return "efficientnet_pytorch"
    if all(re.fullmatch(_TIMM, name) for name in names):
        return _timm(path)
    odd = next((name for name in names if not re.fullmatch(_TIMM, name)), names[0])
    raise WeightsError(
        explain(
            "it cannot be told which network's weights these are: its epsilon, its padding and the place of its "
            "squeeze-excite are not in the names",
            got=f"names such as {odd}",
            allowed="the names of torchvision, timm or efficientnet-pytorch",
            remedy='Where it computes as one of these does, say so: load_pretrained(path, network, package="timm"), or '
            "edgenas train --start-package timm.",
        )
    )


def _named(package: Package, path: Path | None) -> Package:
    if package not in PACKAGES:
        raise WeightsError(explain("unknown package", got=repr(package), allowed=", ".join(PACKAGES)))
    if package == "timm" and path is not None and re.search(r"(?<![a-z0-9])tf_", path.name.lower()):
        raise WeightsError(
            explain(
                f"{path.name} names a tf_ network of timm, which pads as TensorFlow does",
                got='package="timm"',
                allowed='package="timm_tf"',
                remedy="Leave the package out; if the name misleads, rename the file.",
            )
        )
    return package


def _is_torchvision(names: list[str], *, squeezed: bool) -> bool:
    body = [name for name in names if not re.fullmatch(_TORCHVISION_CLASSIFIER, name)]
    family = next((key for key, form in _TORCHVISION.items() if all(re.fullmatch(form, name) for name in body)), None)
    if family == "mobilenet_v2":
        # Others write blocks as one flat list, some with squeeze-excite before the activation.
        return not squeezed and any(re.match(r"features\.\d+\.conv\.0\.0\.", name) for name in body)
    return family is not None and bool(body)


def _timm(path: Path | None) -> Package:
    """Tell the tf_ networks of timm from its others, which have the same names, by the names of files and folders."""
    if path is None:
        return "timm"
    # Downloads from the hub: "models--timm--mobilenetv3_large_100.ra_in1k/snapshots/.../model.safetensors".
    said = re.findall(_TIMM_FILE, " ".join([path.name, *(part for part in path.parts if "--timm--" in part)]).lower())
    if said and len({tf for tf, _ in said}) == 1:
        return "timm_tf" if said[0][0] else "timm"
    raise WeightsError(
        explain(
            "these are names of timm, which its tf_ networks have too: those pad as TensorFlow does, and the weights "
            "would load and compute something else",
            got=path.name,
            allowed="a file name that says which, such as timm's own efficientnet_b0_ra-3dd342df.pth",
            remedy="Rename the file to the name of its network in timm, such as mobilenetv3_large_100.pth, or say "
            "which: edgenas train --start-package timm or timm_tf.",
        )
    )
