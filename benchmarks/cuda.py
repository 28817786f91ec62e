"""What does a training do on this GPU: how fast is it, how long does it wait, what does it need, and is it right?

    python benchmarks/cuda.py --json OUT

In every precision that the card has, networks and a supernet are trained for some steps by a whole recipe of
augmentation, from images in memory: images a second, the share of time spent waiting for them, and the most memory that
torch held. Beside it, the losses of a training on digits in each precision are compared with those of the CPU in fp32,
and a training that was killed within an epoch is taken up: the same weights to the bit. Without a CUDA device it says
so and ends with status 2.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

if __name__ != "__main__":
    # Beside a script of this name Python finds it in place of NVIDIA's package `cuda`, which torch looks for and can do
    # without.
    raise ImportError("a benchmark, and not the package of that name")

import torch  # noqa: E402
from training_speed import RECIPE, images_in_memory, networks, precisions, shared  # noqa: E402

from edgenas.arch.notation import parse_notation  # noqa: E402
from edgenas.data import DataSettings, ImageData  # noqa: E402
from edgenas.data import load as load_images  # noqa: E402
from edgenas.nn import build  # noqa: E402
from edgenas.train import FitResult, TrainSettings, fit  # noqa: E402

NO_DEVICE = 2
DIGITS = "r8 | stem_k3_s1_c16_re | mb_k3_s2_x3_c24_re | mb_k3_s1_x3_c24_re | head_c64_re | n10"
COMPARED = TrainSettings(epochs=5, batch_size=64, learning_rate=3e-3)


class Killed(Exception):
    """Stands for the end of a process."""


def measured(name: str, precision: str, found: Any) -> dict[str, Any]:
    """Print and return what a training took."""
    memory = torch.cuda.max_memory_allocated() / 2**20
    print(
        f"{name:28} {precision:5} {found.images_per_second:10,.0f} images/s, "
        f"{100 * found.waiting_share:5.1f} % waiting, {memory:7,.0f} MiB",
        flush=True,
    )
    return {"network": name, "precision": precision, "images_per_second": round(found.images_per_second, 1),
            "waiting_share": round(found.waiting_share, 4), "memory_mib": round(memory)}  # fmt: skip


def speeds(steps: int) -> list[dict[str, Any]]:
    """Train networks and a supernet in every precision."""
    data, rows = images_in_memory(), []
    for precision in precisions("cuda"):
        for name, network in networks().items():
            settings = replace(RECIPE, precision=precision)  # type: ignore[arg-type]
            fit(build(network), data, replace(settings, steps=5), device="cuda")
            torch.cuda.reset_peak_memory_stats()
            found = fit(build(network), data, replace(settings, steps=steps), device="cuda")
            rows.append(measured(name, precision, found))
        torch.cuda.reset_peak_memory_stats()
        rows.append(measured("supernet mobilenet_v3_small", precision, shared(data, "cuda", precision, steps)))
    return rows


def losses(found: FitResult) -> list[float]:
    """Mean loss of each epoch."""
    return [record.train_loss for record in found.history]


def curves(data: ImageData) -> list[dict[str, Any]]:
    """Compare the losses of each precision with those of the CPU."""
    network, rows = replace(parse_notation(DIGITS), in_channels=1), []
    expected = fit(build(network), data, replace(COMPARED, precision="fp32"))
    for precision in precisions("cuda"):
        found = fit(build(network), data, replace(COMPARED, precision=precision), device="cuda")  # type: ignore[arg-type]
        apart = max(abs(a - b) for a, b in zip(losses(found), losses(expected), strict=True))
        points = 100 * (found.validation_accuracy - expected.validation_accuracy)
        print(f"losses in {precision}: at most {apart:.5f} from the CPU's, accuracy {points:+.2f} points", flush=True)
        rows.append({"precision": precision, "losses": losses(found), "cpu": losses(expected), "largest": apart,
                     "accuracy_points": points})  # fmt: skip
    return rows


def resumed(data: ImageData) -> list[dict[str, Any]]:
    """Kill trainings within an epoch and take them up."""
    network, rows = replace(parse_notation(DIGITS), in_channels=1), []
    before = torch.backends.cudnn.deterministic
    torch.backends.cudnn.deterministic = True
    for precision in precisions("cuda"):
        settings = replace(COMPARED, precision=precision)  # type: ignore[arg-type]
        whole, again = build(network), build(network)
        expected = fit(whole, data, settings, device="cuda")

        def kill(done: int, total: int, unit: str) -> None:
            if done == total // 2 + 1:
                raise Killed

        with tempfile.TemporaryDirectory() as folder:
            often = replace(settings, checkpoint_minutes=1e-9)
            try:
                fit(build(network), data, often, checkpoint_dir=Path(folder), progress=kill, device="cuda")
            except Killed:
                found = fit(again, data, often, checkpoint_dir=Path(folder), device="cuda")
        pairs = zip(whole.state_dict().values(), again.state_dict().values(), strict=True)
        same = losses(found) == losses(expected) and all(torch.equal(a, b) for a, b in pairs)
        print(f"resumed in {precision}: {'the same weights to the bit' if same else 'OTHER WEIGHTS'}", flush=True)
        rows.append({"precision": precision, "same": same})
    torch.backends.cudnn.deterministic = before
    return rows


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=200, help="of every training whose speed is measured")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    if not torch.cuda.is_available():
        print("no CUDA device: nothing was measured")
        sys.exit(NO_DEVICE)
    digits = load_images(DataSettings())
    document = {"card": torch.cuda.get_device_name(), "torch": torch.__version__, "steps": options.steps,
                "speeds": speeds(options.steps), "curves": curves(digits), "resumed": resumed(digits)}  # fmt: skip
    if options.json is not None:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(document, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
