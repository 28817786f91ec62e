"""State dicts of other packages: unwrapping them, removing prefixes of names, and telling which package they are from.

Names do not tell everything. The `tf_` networks of timm have the same names as its others, but pad as TensorFlow does
and have another epsilon. Networks of other authors may put squeeze-excite before the activation. Such weights would
load without an error and compute something else. So weights of unclear origin are refused.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import torch

from edgenas.errors import WeightsError, explain

Package = Literal["torchvision", "timm"]
State = Mapping[str, torch.Tensor]

# Usual keys in the file of a training; the first that is there counts. Averaged weights come first, since they are the
# ones that were evaluated.
WRAPPERS = (
    "state_dict_ema", "model_ema", "ema_state_dict", "model_state_dict_ema", "ema", "state_dict", "model_state_dict",
    "model", "net", "network", "weights",
)  # fmt: skip
# DistributedDataParallel and AveragedModel; torch.compile; Lightning; averages.
PREFIXES = ("module.", "_orig_mod.", "model.", "ema_model.", "ema.")
# Counters, which are no weights.
COUNTERS = ("num_batches_tracked", "n_averaged")
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


def unwrapped(content: object, *, where: str) -> dict[str, torch.Tensor]:
    """Return the weights that a file of a training holds, by name without prefixes.

    Args:
        content: What was read: tensors by name, or a mapping with such a mapping under a usual name.
        where: Name of the file, for messages.

    Raises:
        WeightsError: It holds no tensors by name.
    """
    state: Any = content
    for _ in range(3):
        if isinstance(state, Mapping) and not _is_state(state):
            state = next((state[name] for name in WRAPPERS if isinstance(state.get(name), Mapping)), state)
    if not isinstance(state, Mapping) or not _is_state(state):
        got = ", ".join(str(key) for key in list(state)[:6]) if isinstance(state, Mapping) else type(state).__name__
        allowed = f"tensors by name, alone or under {', '.join(WRAPPERS[-5:])}"
        raise WeightsError(explain(f"{where} is not a state dict", got=got or "nothing", allowed=allowed))
    named = {str(name): tensor for name, tensor in state.items() if not str(name).endswith(COUNTERS)}
    while (prefix := _common_prefix(named)) is not None:
        named = {name.removeprefix(prefix): tensor for name, tensor in named.items()}
    return named


def _is_state(content: Mapping[Any, Any]) -> bool:
    return bool(content) and all(isinstance(value, torch.Tensor) for value in content.values())


def _common_prefix(names: Mapping[str, object]) -> str | None:
    return next((prefix for prefix in PREFIXES if names and all(name.startswith(prefix) for name in names)), None)


def package_of(names: list[str], *, squeezed: bool, package: Package | None, path: Path | None) -> Package:
    """Tell which package the weights are from.

    Args:
        names: Of the arrays, without prefixes.
        squeezed: Whether the network has squeeze-excite.
        package: The package that the user named; None tells it from names.
        path: Of the file, whose name tells the networks of timm apart.

    Raises:
        WeightsError: It is a `tf_` network of timm, or cannot be told.
    """
    if path is not None and re.search(r"(?<![a-z0-9])tf_", str(path.name).lower()):
        raise WeightsError(
            explain(
                f"{path.name} names a tf_ network of timm, which pads as TensorFlow does and cannot be converted",
                allowed="weights that were trained with symmetric padding, such as efficientnet_b0 of timm",
                remedy="Convert other weights; if the name misleads, rename the file.",
            )
        )
    if package is not None:
        return package
    if _is_torchvision(names, squeezed=squeezed):
        return "torchvision"
    if all(re.fullmatch(_TIMM, name) for name in names):
        return _timm(path)
    odd = next((name for name in names if not re.fullmatch(_TIMM, name)), names[0])
    raise WeightsError(
        explain(
            "it cannot be told which network's weights these are: its epsilon, its padding and the place of its "
            "squeeze-excite are not in the names",
            got=f"names such as {odd}",
            allowed="the names of torchvision or timm",
            remedy='Where it computes as one of these does, say so: load_pretrained(path, network, package="timm").',
        )
    )


def _is_torchvision(names: list[str], *, squeezed: bool) -> bool:
    body = [name for name in names if not re.fullmatch(_TORCHVISION_CLASSIFIER, name)]
    family = next((key for key, form in _TORCHVISION.items() if all(re.fullmatch(form, name) for name in body)), None)
    if family == "mobilenet_v2":
        # Others write blocks as one flat list, some with squeeze-excite before the activation.
        return not squeezed and any(re.match(r"features\.\d+\.conv\.0\.0\.", name) for name in body)
    return family is not None and bool(body)


def _timm(path: Path | None) -> Package:
    """Accept names of timm only if there is evidence against a `tf_` network, which has the same names."""
    if path is None:
        return "timm"
    # Downloads from the hub: "models--timm--mobilenetv3_large_100.ra_in1k/snapshots/.../model.safetensors".
    said = re.findall(_TIMM_FILE, " ".join([path.name, *(part for part in path.parts if "--timm--" in part)]).lower())
    if said and not any(tf for tf, _ in said):
        return "timm"
    if said:
        raise WeightsError(explain(f"{path} names a tf_ network of timm, whose padding cannot be converted"))
    raise WeightsError(
        explain(
            "these are names of timm, which its tf_ networks have too: those pad as TensorFlow does, and their weights "
            "would load and compute something else",
            got=path.name,
            allowed="a file name that says which, such as timm's own efficientnet_b0_ra-3dd342df.pth",
            remedy="Rename the file to the name of its network in timm, such as mobilenetv3_large_100.pth.",
        )
    )
