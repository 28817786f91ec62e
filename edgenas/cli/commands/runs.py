"""`edgenas runs list|show|export|delete` and `edgenas store verify`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import edgenas as en
from edgenas.cli.console import print_table
from edgenas.errors import InputError, explain

Directory = Annotated[Path, typer.Argument(help="A run directory, such as runs/quickstart.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
_MOST_DAMAGE = 20


def register(app: typer.Typer) -> None:
    """Add the commands."""
    runs = typer.Typer(help="Runs: which there are, how far, as a file, delete one.", no_args_is_help=True)
    runs.command("list")(list_runs)
    runs.command("show")(show)
    runs.command("export")(export)
    runs.command("delete")(delete)
    app.add_typer(runs, name="runs")
    store = typer.Typer(help="Stores of evaluations.", no_args_is_help=True)
    store.callback()(lambda: None)
    store.command("verify")(verify)
    app.add_typer(store, name="store")


def list_runs(
    folder: Annotated[Path, typer.Argument(help="Where runs are made.")] = Path("runs"), json: Json = False
) -> None:
    """List the runs of a folder, and how far each one is."""
    found = en.list_runs(folder)
    if json:
        _print_json([run.to_dict() for run in found])
        return
    rows = [
        (
            run.name, _state(run), run.strategy, "" if run.evaluations is None else f"{run.evaluations:,}",
            "" if run.accuracy is None else f"{100 * run.accuracy:.2f} %",
            "" if run.latency_ms is None else f"{run.latency_ms:.4f}", _size(run.bytes), run.changed,
        )
        for run in found
    ]  # fmt: skip
    columns = ("run", "state", "strategy", "networks", "test accuracy", "latency, ms", "size", "last change")
    print_table(columns, rows, title=f"{len(found)} runs in {folder}")


def show(run: Directory, json: Json = False) -> None:
    """Print how far a run is, and what it found."""
    found = en.run_info(run)
    if json:
        _print_json(found.to_dict())
        return
    lines = [("run", str(found.path)), ("state", _state(found))]
    lines += [("finished", f"{name}, {seconds:.1f} s") for name, seconds in found.stages]
    lines += [("waiting", ", ".join(found.waiting))] if found.waiting else []
    lines += [("strategy", found.strategy)] if found.strategy else []
    lines += [] if found.evaluations is None else [("networks", f"{found.evaluations:,} judged")]
    lines += [] if found.accuracy is None else [("accuracy", f"{100 * found.accuracy:.2f} % of the test images")]
    lines += [] if found.latency_ms is None else [("latency", f"{found.latency_ms:.4f} ms, measured")]
    lines += [] if found.budget_ms is None else [("budget", f"{found.budget_ms:.4f} ms")]
    lines += [("size", _size(found.bytes)), ("changed", found.changed or "never")]
    lines += [("note", "results of other settings wait for their end")] if found.changing else []
    lines += [("problem", found.problem)] if found.problem else []
    for key, value in lines:
        print(f"{key:10}{value}")


def export(
    run: Directory,
    out: Annotated[Path, typer.Option(help="A .csv or .json of every judged network, or a .zip of all results.")],
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
    json: Json = False,
) -> None:
    """Write a run into one file; it holds no password."""
    file = en.export_run(run, out, force=force)
    if json:
        _print_json({"file": str(file), "bytes": file.stat().st_size})
    else:
        print(f"{file}  {_size(file.stat().st_size)}")


def delete(
    run: Directory,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    json: Json = False,
) -> None:
    """Delete a run directory with all that is in it."""
    found = en.run_info(run)
    if not yes:
        import sys

        if not sys.stdin.isatty():
            raise InputError(explain(f"{run} is not deleted without an answer", remedy="Give --yes."))
        typer.confirm(f"Delete {found.path}, {_size(found.bytes)}?", abort=True)
    en.delete_run(run)
    if json:
        _print_json({"deleted": str(found.path), "bytes": found.bytes})
    else:
        print(f"deleted {found.path}, {_size(found.bytes)}")


def verify(
    place: Annotated[str, typer.Argument(help="A store's file or URL, or a run directory.")],
    repair: Annotated[bool, typer.Option("--repair", help="Remove damaged entries; what is whole stays.")] = False,
    json: Json = False,
) -> None:
    """Read every entry of a store, and say what is damaged and what to do; status 1 where something is."""
    found = en.verify_store(place, repair=repair)
    if json:
        _print_json(found.to_dict())
    else:
        print(f"store     {found.store}, schema {found.schema}")
        print(f"entries   {found.evaluations:,} evaluations and {found.failures:,} failures are whole")
        if found.without_digest:
            print(f"note      {found.without_digest:,} of them have no digest: the next run that opens it adds them")
        for damage in found.damage[:_MOST_DAMAGE]:
            where = f"{damage.key[:16]} " if damage.key else ""
            print(f"{'repaired' if found.repaired else 'damaged':10}{where}{damage.what}")
        if len(found.damage) > _MOST_DAMAGE:
            print(f"{'':10}and {len(found.damage) - _MOST_DAMAGE} more: --json prints all")
        if not found.sound:
            for remedy in dict.fromkeys(damage.remedy for damage in found.damage):
                print(f"remedy    {remedy}")
        else:
            print("nothing is damaged" if not found.damage else "nothing is damaged any more")
    if not found.sound:
        raise typer.Exit(1)


def _state(run: en.RunInfo) -> str:
    return f"{run.state} before {run.waiting[0]}" if run.state == "stopped" and run.waiting else run.state


def _size(count: int) -> str:
    return f"{count / 2**20:,.1f} MiB" if count >= 2**20 else f"{count / 2**10:,.1f} KiB"


def _print_json(document: object) -> None:
    from edgenas.reading.json_text import plain_text

    print(plain_text(document, indent=2))
