"""By which importance should a pretrained network's channels be sorted?

EfficientNet-Lite0 with its ImageNet weights is put into the space around it, and its channels are sorted by each
measure. Then members that take fewer channels are compared with the whole network, without any training: how often they
name the same of the 1,000 classes, and how alike their logits are. Normalisation uses the statistics of the images.

    python benchmarks/importance.py --data PHOTOS --json benchmarks/results/importance.json
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

import edgenas as en
from edgenas import atomic
from edgenas.arch.zoo import published
from edgenas.data import Preprocessing
from edgenas.space import SearchSpace
from edgenas.supernet import Supernet
from edgenas.supernet.elastic.channels import sort_channels
from edgenas.supernet.elastic.importance import IMPORTANCES
from edgenas.types import Genes

MEMBERS = {"expansion 2/3": {"expansion": -2}, "expansion 1/2": {"expansion": 0}, "width 0.75": {"width": 0}}
BATCH = 100


def member(space: SearchSpace, choices: dict[str, int]) -> Genes:
    """Return the largest member with other choices of some genes."""
    genes = space.largest()
    for place, name in enumerate(space.gene_names):
        if (field := name.rpartition(".")[2]) in choices:
            genes[place] = max(0, choices[field] % len(space.gene_choices[place]))
    return genes


@torch.no_grad()
def logits(supernet: Supernet, genes: Genes, images: Tensor) -> Tensor:
    """Return the logits (N, 1000) of a member."""
    return torch.cat([supernet(part, genes) for part in images.split(BATCH)])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, help="one folder of photographs a class")
    parser.add_argument("--images", type=int, default=400)
    parser.add_argument("--resolution", type=int, default=96)
    parser.add_argument("--json", type=Path, required=True)
    given = parser.parse_args()
    data = en.load_images(given.data, resolution=given.resolution)
    loaded = en.load_weights("efficientnet_lite0")
    assert loaded.source is not None
    images_as, weights = loaded.source.images, loaded.weights
    space = en.space_around(published("efficientnet_lite0"), resolutions=[given.resolution])
    preprocessing = Preprocessing(mean=images_as.mean, std=images_as.std, resolution=given.resolution)
    factor, offset = preprocessing.affine()
    count = min(given.images, len(data.train))
    chosen = torch.linspace(0, len(data.train) - 1, count).long().numpy()
    pixels = torch.from_numpy(data.train.read(chosen)).permute(0, 3, 1, 2).float()
    images = pixels * torch.from_numpy(factor)[:, None, None] + torch.from_numpy(offset)[:, None, None]
    rows: list[dict[str, Any]] = []
    for measure in IMPORTANCES:
        net = Supernet(space)
        net.load_member(space.largest(), weights)
        sort_channels(net, measure)
        whole = logits(net, space.largest(), images)
        for name, choices in MEMBERS.items():
            found = logits(net, member(space, choices), images)
            same = float((found.argmax(1) == whole.argmax(1)).float().mean())
            alike = float(torch.nn.functional.cosine_similarity(found, whole).mean())
            rows.append({"importance": measure, "member": name, "same_class": same, "cosine": alike})
            print(f"{measure:10} {name:15} same class {100 * same:5.1f} %   cosine {alike:.3f}", flush=True)
    atomic.write_json(given.json, {"images": count, "resolution": given.resolution, "rows": rows})


if __name__ == "__main__":
    main()
