from dataclasses import replace

import pytest

from edgenas.arch.lower import lower
from edgenas.arch.zoo import NAMES, published
from edgenas.cost import macs, params
from edgenas.errors import ArchitectureError

# From the reference implementations (timm and torchvision agree wherever both ship the network), 1,000 classes.
PUBLISHED = {
    "mobilenet_v2": (224, 3_504_872, 300_774_272),
    "mobilenet_v3_large": (224, 5_483_032, 216_589_760),
    "mobilenet_v3_small": (224, 2_542_856, 56_510_400),
    "mnasnet_a1": (224, 3_887_038, 311_579_072),
    "mnasnet_b1": (224, 4_383_312, 314_415_872),
    "mnasnet_small": (224, 2_030_264, 68_339_184),
    "efficientnet_b0": (224, 5_288_548, 385_814_752),
    "efficientnet_b1": (240, 7_794_184, 686_802_832),
    "efficientnet_b2": (260, 9_109_994, 993_561_872),
    "efficientnet_b3": (300, 12_233_232, 1_827_141_392),
    "efficientnet_b4": (380, 19_341_616, 4_393_771_024),
    "efficientnet_b5": (456, 30_389_784, 10_266_384_752),
    "efficientnet_b6": (528, 43_040_704, 19_067_593_536),
    "efficientnet_b7": (600, 66_347_960, 37_745_884_192),
    "efficientnet_lite0": (224, 4_652_008, 385_187_552),
    "efficientnet_lite1": (240, 5_416_680, 600_185_232),
    "efficientnet_lite2": (260, 6_092_072, 859_736_272),
    "efficientnet_lite3": (280, 8_197_096, 1_383_321_872),
    "efficientnet_lite4": (300, 13_006_568, 2_553_034_336),
    "fbnet_c": (224, 5_572_200, 384_960_160),
    "single_path_nas": (224, 4_421_616, 333_467_072),
    "proxyless_mobile": (224, 4_080_512, 320_427_584),
    "mobilenet_v4_conv_small": (224, 3_774_024, 186_005_568),
    "mobilenet_v4_conv_medium": (256, 9_715_512, 1_080_244_224),
}


def test_the_zoo_holds_exactly_the_published_networks() -> None:
    assert set(NAMES) == set(PUBLISHED)


@pytest.mark.parametrize("name", NAMES)
def test_resolution_parameters_and_macs_equal_the_reference_to_the_unit(name: str) -> None:
    graph = lower(published(name))
    assert (published(name).resolution, params(graph), macs(graph)) == PUBLISHED[name]


def test_the_lite_family_pads_as_tensorflow_does_and_nobody_else() -> None:
    assert {name for name in NAMES if published(name).padding == "same"} == {
        f"efficientnet_lite{variant}" for variant in range(5)
    }
    symmetric = replace(published("efficientnet_lite0"), padding="symmetric")
    assert symmetric.digest == "890fe01d1668ec14ea11e9930ce428e8"  # of the time before padding was a property


def test_an_unknown_name_is_refused_with_the_nearest() -> None:
    with pytest.raises(ArchitectureError, match="did you mean 'mobilenet_v3_large'"):
        published("mobilenet_v3_lrge")
