"""The subcommand that makes a release of a run."""

import argparse
from pathlib import Path

from ml_models.cli_common import Commands, add_data, shown, tensorflow_noise_kept_back
from ml_models.data import data_root
from ml_models.release import RELEASES


def add_commands(commands: Commands) -> None:
    export = commands.add_parser("export", help="make a release of a finished run")
    export.add_argument("--run-dir", type=Path, required=True, help="the run's folder")
    export.add_argument(
        "--out", type=Path, required=True, help=f"the release's folder, as {RELEASES.name}/NAME"
    )
    add_data(export)
    export.set_defaults(run=_export)


def _export(args: argparse.Namespace) -> int:
    root = data_root(args.data)
    with tensorflow_noise_kept_back():
        from ml_models.export import export

    out = export(args.run_dir, args.out, root=root)
    size = sum(file.stat().st_size for file in out.rglob("*") if file.is_file())
    print(f"{shown(out)}: {size / 1e6:.1f} MB")
    return 0
