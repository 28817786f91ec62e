"""`edgenas transfer`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import edgenas as en
from edgenas.cli.commands.configuration import Overrides
from edgenas.cli.console import print_table


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("transfer")(transfer)


def transfer(
    run: Annotated[Path, typer.Argument(help="A finished run; it stays as it is.")],
    data: Annotated[str, typer.Option(help="The configuration whose images are used.")],
    out: Annotated[Path | None, typer.Option(help="Folder; RUN-on-CONFIGURATION beside the run if left out.")] = None,
    epochs: Annotated[int | None, typer.Option(min=1, help="Of adapting; a quarter of the run's if left out.")] = None,
    networks: Annotated[int, typer.Option(min=4, help="How many are judged, up to half of them from the front.")] = 40,
    scratch: Annotated[
        bool, typer.Option("--against-scratch", help="Train supernets from scratch too, to see what was saved.")
    ] = False,
    overrides: Overrides = None,
) -> None:
    """Carry a run's supernet over to other images, adapt it, and see whether its networks rank the same there."""
    from edgenas.api.reuse.transfer import transferred_folder

    other = en.load_config(data, overrides or [])
    folder = transferred_folder(run, out, other.name)
    found = en.transfer(
        run, other, epochs=epochs, networks=networks, against_scratch=scratch, folder=folder
    )
    rows = [
        (f"{100 * entry.source_accuracy:.1f} %", f"{100 * entry.accuracy:.1f} %", entry.notation)
        for entry in sorted(found.networks, key=lambda entry: -entry.accuracy)
        if entry.on_front
    ]
    print_table(("in the run", "here", "network of the front"), rows)
    print(
        f"{len(found.networks)} networks: rho {found.spearman:.2f} ({found.spearman_low:.2f} to "
        f"{found.spearman_high:.2f}), tau {found.kendall:.2f} between the data sets; "
        f"MACs alone: rho {found.macs_spearman:.2f} here"
    )
    for few in found.learned:
        print(f"predictor {few.networks} networks judged here: rho {few.warm:.2f} on the others started from the "
              f"run, {few.cold:.2f} from nothing")  # fmt: skip
    if found.proposed:
        best, judged = (max(entry.accuracy for entry in group) for group in (found.proposed, found.networks))
        print(f"proposed  {len(found.proposed)} more by the predictor: best {100 * best:.1f} %, of the others "
              f"{100 * judged:.1f} %")  # fmt: skip
    print(
        f"mean accuracy {100 * found.mean_accuracy:.1f} % after {found.epochs} epochs ({found.seconds:.0f} s); "
        f"{100 * found.unadapted_mean:.1f} % before"
    )
    for entry in found.scratch:
        print(f"scratch   {entry.epochs} epochs ({entry.seconds:.0f} s): {100 * entry.mean_accuracy:.1f} %")
    if found.scratch:
        saved = "nothing was as good" if found.saved is None else f"{100 * found.saved:.0f} % of the epochs saved"
        print(f"against from scratch: {saved}")
    print(f"adapted   {folder}")
