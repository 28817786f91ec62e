"""`edgenas train`, `edgenas supernet train|evaluate|extract`, `edgenas estimator validate`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import edgenas as en
from edgenas.cli.commands.configuration import Overrides
from edgenas.cli.console import print_table

Configuration = Annotated[str, typer.Argument(help="A YAML file, or the name of a shipped one.")]
Run = Annotated[Path, typer.Argument(help="A run directory.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("train")(train)
    supernet = typer.Typer(help="Train a supernet, judge its members, take one out.", no_args_is_help=True)
    supernet.command("train")(supernet_train)
    supernet.command("evaluate")(supernet_evaluate)
    supernet.command("extract")(supernet_extract)
    app.add_typer(supernet, name="supernet")
    estimator = typer.Typer(help="Find out how well estimators rank networks.", no_args_is_help=True)
    estimator.command("validate")(estimator_validate)
    app.add_typer(estimator, name="estimator")


def train(
    network: Annotated[str, typer.Argument(help="A name of the zoo, a file, a run directory, or a notation.")],
    configuration: Configuration,
    out: Annotated[Path, typer.Option(help="Folder for the checkpoint; taken up where it was killed.")],
    overrides: Overrides = None,
    start: Annotated[
        str | None, typer.Option(help="Weights to start from: a file, or a name of `edgenas weights list`.")
    ] = None,
    start_package: Annotated[
        str | None,
        typer.Option(
            help="Whose network the file of --start is, if its names do not say: torchvision, timm, timm_tf or "
            "efficientnet_pytorch."
        ),
    ] = None,
    teacher: Annotated[Path | None, typer.Option(help="Checkpoint to distil from (train.teacher).")] = None,
) -> None:
    """Train one network on the images of a configuration, by its train section.

    Any key of the section can be set here: --set train.epochs=100 --set train.augment.flip=true.
    """
    settings = en.load_config(configuration, overrides or [])
    found = en.train(
        network, start=start, start_package=start_package, teacher=teacher, folder=out, config=settings
    )
    print(
        f"validation accuracy {100 * found.validation_accuracy:.2f} %, test accuracy {100 * found.test_accuracy:.2f} % "
        f"+- {164.5 * found.test_standard_error:.2f} (90 %)\n"
        f"{found.images_per_second:,.0f} images a second on {found.device}, "
        f"{100 * found.waiting_share:.1f} % of the time waiting for images\n"
        f"checkpoint {found.checkpoint}"
    )


def supernet_train(configuration: Configuration, overrides: Overrides = None) -> None:
    """Load the images and train the supernet of a configuration; the first stages of `edgenas run`."""
    print(f"supernet in {en.train_supernet(configuration, overrides or []).supernet}")


def supernet_evaluate(
    run: Run,
    network: Annotated[list[str] | None, typer.Argument(help="Networks; random ones of the space if left out.")] = None,
    count: Annotated[int, typer.Option(min=1, help="How many random networks.")] = 8,
    seed: Annotated[int, typer.Option(min=0, help="Of the random networks.")] = 0,
) -> None:
    """Print the inherited accuracy of networks (validation images, their own normalisation statistics)."""
    from edgenas.arch.notation import format_notation

    rows = [
        (f"{100 * entry.accuracy:.2f} %", f"{100 * entry.standard_error:.2f}", format_notation(entry.architecture))
        for entry in en.inherited_accuracy(run, network, count=count, seed=seed)
    ]
    print_table(("inherited accuracy", "standard error", "network"), rows)


def supernet_extract(
    run: Run,
    network: Annotated[str, typer.Argument(help="A member of the run's space.")],
    out: Annotated[Path, typer.Option(help="The checkpoint to write (.safetensors).")],
) -> None:
    """Take one network out of a supernet, with normalisation statistics of its own."""
    print(f"checkpoint {en.extract(run, network, out)}")


def estimator_validate(
    run: Run,
    networks: Annotated[
        int, typer.Option(min=9, help="Networks to train stand-alone; 47 (2 x 24 - 1) take over the trainings of 24.")
    ] = 24,
    seeds: Annotated[int, typer.Option(min=1, help="Trainings of each.")] = 2,
) -> None:
    """Train networks stand-alone and see how well each estimator ranks them, beside plain MACs."""
    from edgenas.api.estimators import VALIDATION_FILE

    found = en.validate_estimators(run, networks=networks, seeds=seeds)
    ranks = [
        (
            entry["name"],
            *(text for name in ("spearman", "spearman_within_bands", "kendall") for text in _ranks(entry, name)),
            "" if entry["gap_points"] is None else f"{entry['gap_points']:+.1f}",
            f"{entry['seconds_per_network']:.3f}",
        )
        for entry in found["estimators"]
    ]
    columns = ("estimator", "rho", "95 %", "in bands", "95 %", "tau", "95 %", "gap, points", "s / network")
    print_table(columns, ranks)
    margins = [
        (
            entry["name"],
            _interval(entry["over_macs"], "difference"),
            _interval(entry["over_macs_within_bands"], "difference"),
            _interval(entry["beyond_macs"], "spearman"),
            entry["verdict"],
        )
        for entry in found["estimators"][1:]
    ]
    print_table(("beside MACs", "rho over theirs", "in bands", "beyond them", "verdict"), margins)
    if found["ceiling"] is not None:
        within = _two(found["ceiling_within_bands"])
        print(f"ceiling (one seed against another): rho {found['ceiling']:.2f}, in bands {within}")
    print("bands: networks of similar MACs; gap: estimate less truth; beyond: correlation of what MACs leave open")
    for note in found["notes"]:
        print(note)
    print(f"stored in {run / VALIDATION_FILE}")
    if (run / "winner.json").is_file():
        from edgenas.report import write_report

        print(f"report    {write_report(run)}")


def _ranks(entry: dict[str, float | None], name: str) -> tuple[str, str]:
    """A correlation and its interval."""
    low, high = _two(entry[f"{name}_low"]), _two(entry[f"{name}_high"])
    return _two(entry[name]), f"{low} to {high}" if low else ""


def _interval(value: dict[str, float] | None, name: str) -> str:
    """A figure with its interval; nothing for MACs beside themselves and where it does not exist."""
    if value is None or None in value.values():
        return ""
    return f"{value[name]:+.2f} ({value['low']:+.2f} to {value['high']:+.2f})"


def _two(value: float | None) -> str:
    """Two digits; nothing where a statistic does not exist (a constant estimate has no rank)."""
    return "" if value is None else f"{value:.2f}"
