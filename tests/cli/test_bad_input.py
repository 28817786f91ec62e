"""Bad input to the commands that train: one clear message with a remedy, status 2, no traceback, nothing lost."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from edgenas.arch import lower
from edgenas.arch.notation import parse_notation
from edgenas.formats import random_weights
from edgenas.nn import Checkpoint, save_checkpoint
from tests.cli.test_main import run

NETWORK = "r16 | stem_k3_s2_c8_re | mb_k3_x2_c8_re | head_c16_re | n3"
# Each step multiplies the weights by 1 - 1000 * 10, until they overflow.
DIVERGES = ["train.optimizer=sgd", "train.learning_rate=1000", "train.weight_decay=10", "train.warmup_share=0",
            "train.final_learning_rate_share=1", "train.epochs=30"]  # fmt: skip
CONFIGURATION = """
name: bad
threads: 1
space: {name: tiny}
data: {source: npz, path: ok.npz, resolution: 16}
supernet: {epochs: 1, batch_size: 16}
train: {epochs: 1, batch_size: 16}
"""


def arrays(labels: np.ndarray, **more: np.ndarray) -> dict[str, np.ndarray]:
    images = np.random.default_rng(0).integers(0, 256, (len(labels), 16, 16, 3), dtype=np.uint8)
    return {"images": images, "labels": labels, **more}


def picture(path: Path, content: bytes | None = None, *, size: int = 40) -> None:
    from PIL import Image

    path.parent.mkdir(parents=True, exist_ok=True)
    if content is not None:
        path.write_bytes(content)
        return
    seed = len(list(path.parent.iterdir()))
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (size, size, 3), dtype=np.uint8)).save(path)


def make_folders(folder: Path) -> None:
    (folder / "empty").mkdir()
    for name in ("unreadable", "cut"):
        for label in "ab":
            for number in range(24):
                picture(folder / name / label / f"{number}.jpg")
    for number in range(5):
        picture(folder / "unreadable" / "a" / f"{number}.jpg", b"nonsense")
    for number in range(24):
        whole = (folder / "cut" / "a" / f"{number}.jpg").read_bytes()
        picture(folder / "cut" / "a" / f"{number}.jpg", whole[: len(whole) * 3 // 4])


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with images of every kind of fault, a configuration, and weights of another task."""
    folder = tmp_path_factory.mktemp("bad")
    rng = np.random.default_rng(0)
    np.savez(folder / "ok.npz", **arrays(np.arange(90) % 3))
    np.savez(folder / "one.npz", **arrays(np.zeros(60, np.int64)))
    np.savez(folder / "three.npz", **arrays(np.arange(3)))
    np.savez(folder / "negative.npz", **arrays(rng.integers(-1, 3, 60)))
    np.savez(folder / "float.npz", **arrays(rng.integers(0, 3, 60).astype(float)))
    np.savez(folder / "range.npz", **arrays(1 + np.arange(60) % 3, classes=np.array(["a", "b", "c"])))
    make_folders(folder)
    (folder / "bad.yaml").write_text(CONFIGURATION)
    network = parse_notation(NETWORK.replace("n3", "n5"))
    weights = random_weights(lower(network), rng)
    save_checkpoint(folder / "five.safetensors", Checkpoint(architecture=network, weights=weights))
    (folder / "cut.safetensors").write_bytes((folder / "five.safetensors").read_bytes()[:2000])
    return folder


@pytest.fixture
def refused(place: Path, monkeypatch, capsys, tmp_path: Path) -> Callable[..., str]:
    """Run a command that must fail as promised, and return its message."""
    monkeypatch.chdir(place)

    def attempt(*arguments: str) -> str:
        status, _, errors = run(monkeypatch, capsys, *arguments)
        assert status == 2, errors
        assert "Traceback" not in errors
        assert "error: " in errors
        return errors[errors.index("error: ") :]

    return attempt


def train(out: Path, *settings: str, more: tuple[str, ...] = ()) -> list[str]:
    overrides = [text for setting in settings for text in ("--set", setting)]
    return ["train", NETWORK, "bad.yaml", "--out", str(out), *overrides, *more]


LAZY = ("data.resolution=128", "data.cache=false", "data.memory_limit_mib=1")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (["data.path=one.npz"], "has a single class.*needs two classes"),
        (["data.path=three.npz"], "too few images.*got 1 of 3.*Add images"),
        (["data.path=negative.npz"], "out of range; got -1 to 2; allowed: 0 to 2.*from 0"),
        (["data.path=range.npz"], "out of range; got 1 to 3; allowed: 0 to 2"),
        (["data.path=float.npz"], "not class numbers.*float64; allowed: .* integers"),
        (["data.path=none.npz"], "none.npz"),
        (["data.source=folder", "data.path=empty"], "no class folders"),
        (["data.source=folder", "data.path=unreadable"], "5 of 48 images cannot be read .*at most 5%"),
        (["data.source=folder", "data.path=cut", *LAZY], r"cannot read image .*jpg: .*truncated.*Replace or delete"),
        (["data.validation_fraction=0.9", "data.test_fraction=0.3"], "below 1 together"),
        (["train.epochs=0"], "nothing is trained and there are no weights to start from; got 0"),
        (["train.learning_rate=-1"], "train.learning_rate: not usable; got -1; allowed: greater than 0"),
        (["train.learing_rate=1"], "train.learing_rate: unknown key .did you mean 'learning_rate'"),
        (["supernet.schem=cycle"], "did you mean 'scheme'"),
        (["search.one_shot.tarket=1"], "did you mean 'target'"),
        (["train.batch_size=4", "train.accumulation=4"], "two images or more per part"),
        (["train.precision=fp16", "compute=cpu"], "fp16 trains on CUDA only"),
        (["compute=gpu"], "compute: not usable; got 'gpu'; allowed: auto, cpu, cuda or cuda:N"),
        (["compute=cuda:99"], "compute: cuda:99 is not here.*Set compute=auto"),
        (["train.teacher=none.safetensors"], "train.teacher is not there; got none.safetensors"),
        (["train.teacher=cut.safetensors"], "cannot read the checkpoint cut.safetensors"),
        (["train.teacher=five.safetensors"], r"the teacher five.safetensors knows other classes; got 5 .*allowed: 3"),
        (DIVERGES, "loss is not finite at step"),
    ],
)
def test_a_training_that_cannot_be_is_refused(
    refused: Callable[..., str], tmp_path: Path, settings: list[str], message: str
) -> None:
    errors = refused(*train(tmp_path / "out", *settings))
    assert re.search(message, errors), errors


def test_a_start_that_is_no_checkpoint_is_refused(refused: Callable[..., str], tmp_path: Path) -> None:
    assert "cannot read" in refused(*train(tmp_path / "out", more=("--start", "cut.safetensors")))


def test_a_folder_that_cannot_be_written_is_named(refused: Callable[..., str], place: Path) -> None:
    errors = refused(*train(place / "bad.yaml"))
    assert "cannot make the folder" in errors and "--out" in errors


def test_a_batch_larger_than_the_data_is_said(place: Path, monkeypatch, capsys, tmp_path: Path) -> None:
    monkeypatch.chdir(place)
    monkeypatch.setattr("sys.argv", ["edgenas", *train(tmp_path / "out", "train.batch_size=4096")])
    from edgenas.cli.main import main

    with pytest.raises(SystemExit) as caught:
        main()
    output = capsys.readouterr().out
    assert not caught.value.code
    assert "batch_size 4096 is more than the 54 images" in output
    assert "images a second on cpu" in output and "waiting for images" in output


def test_state_of_other_settings_is_refused_and_stays(
    refused: Callable[..., str], tmp_path: Path, monkeypatch, capsys
) -> None:
    assert run(monkeypatch, capsys, *train(tmp_path))[0] == 0
    kept = sorted(entry.name for entry in (tmp_path / "state").iterdir())
    errors = refused(*train(tmp_path, "train.learning_rate=0.5", "train.epochs=2"))
    assert "belongs to another training; got epochs 1 (now 2), learning_rate 0.003 (now 0.5)" in errors
    assert sorted(entry.name for entry in (tmp_path / "state").iterdir()) == kept


def test_a_loss_that_breaks_later_names_the_state_that_is_kept(
    refused: Callable[..., str], tmp_path: Path, monkeypatch
) -> None:
    import torch

    from edgenas.train.network import NetworkWork

    once = NetworkWork.take_step

    def breaks(self: NetworkWork, batch: object, budget: object) -> object:
        loss = once(self, batch, budget)  # type: ignore[arg-type]
        return loss * torch.nan if self.history else loss

    monkeypatch.setattr(NetworkWork, "take_step", breaks)
    errors = refused(*train(tmp_path, "train.epochs=2"))
    assert f"The last good state is kept in {tmp_path / 'state'}." in errors
    assert (tmp_path / "state" / "checkpoint.json").is_file()


def test_supernets_say_the_same(refused: Callable[..., str], tmp_path: Path) -> None:
    base = ("supernet", "train", "bad.yaml", "--set", f"output={tmp_path}")
    rate = [part for setting in DIVERGES for part in ("--set", setting.replace("train.", "supernet."))]
    assert "loss of the supernet is not finite at step" in refused(*base, *rate)
    assert "did you mean 'epochs'" in refused(*base, "--set", "supernet.epohs=2")
    assert "single class" in refused(*base, "--set", "data.path=one.npz")
    assert "is not of the space tiny" in refused(*base, "--set", "supernet.start=five.safetensors")


def test_a_damaged_supernet_is_named_and_made_anew_when_trained_again(
    refused: Callable[..., str], tmp_path: Path, monkeypatch, capsys
) -> None:
    train_it = ("supernet", "train", "bad.yaml", "--set", f"output={tmp_path}")
    assert run(monkeypatch, capsys, *train_it)[0] == 0
    file = tmp_path / "bad" / "supernet" / "supernet.safetensors"
    whole = file.read_bytes()
    for content in (whole[:5000], b"hello"):
        file.write_bytes(content)
        for command in (("supernet", "evaluate"), ("estimator", "validate")):
            errors = refused(*command, str(tmp_path / "bad"))
            assert "cannot read the supernet" in errors and "Train it again" in errors
    assert run(monkeypatch, capsys, *train_it)[0] == 0
    assert file.read_bytes() == whole
    assert "is no run directory" in refused("estimator", "validate", str(tmp_path))


def test_an_interrupt_says_how_to_go_on(place: Path, monkeypatch, capsys, tmp_path: Path) -> None:
    monkeypatch.chdir(place)

    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("edgenas.train.loop.loop.Loop.take_epoch", interrupt)
    status, _, errors = run(monkeypatch, capsys, *train(tmp_path / "out"))
    assert status == 130
    assert "interrupted; what was finished is kept. To continue:\n  edgenas train " in errors
