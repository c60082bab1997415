"""`flair export`: the weights of a commit as a file."""

from pathlib import Path

import click

from flair_client.cli.command import command
from flair_client.cli.output import fields
from flair_client.cli.session import App
from flair_client.errors import UsageError
from flair_client.porcelain.export import Exported, export
from flair_client.porcelain.export_hf import HfExported, export_hf
from flair_client.weights.opening import WeightsFormat


@command(
    "export",
    result=Exported | HfExported,
    examples=(
        "flair export",
        "flair export HEAD~1 -o before.safetensors",
        "flair export main -o model.pt --force",
        "flair export --format npz",
        "flair export --own",
        "flair export --hf heart-model",
    ),
)
@click.argument("ref", required=False)
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Where to; without it NAME-COMMIT.safetensors in the current folder.",
)
@click.option(
    "--format",
    "weights_format",
    type=click.Choice([one.value for one in WeightsFormat]),
    help="Kind of file; without it what FILE's name says, or else safetensors.",
)
@click.option(
    "--hf",
    "hf_folder",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Write model.safetensors, config.json and README.md into DIR, in the layout "
    "of Hugging Face.",
)
@click.option(
    "--own",
    is_flag=True,
    help="With the tensors that stay in this clone, as the running statistics of batch "
    "norms, as they were trained here last.",
)
@click.option("-f", "--force", is_flag=True, help="Replace files that exist.")
def export_command(
    app: App,
    ref: str | None,
    *,
    output: Path | None,
    weights_format: str | None,
    hf_folder: Path | None,
    own: bool,
    force: bool,
) -> None:
    """Writes the weights of a commit as a file.

    REF is a branch, a tag, HEAD, the first six or more digits of a commit, or one of
    them with ~N; without it HEAD. A .pt file is a state dict, with tied weights
    tied again, that `load_state_dict` takes; it needs PyTorch.
    """
    if hf_folder is not None and (output is not None or weights_format is not None):
        raise UsageError("--hf names its files itself; -o and --format go without it")
    if hf_folder is not None and own:
        raise UsageError("own tensors go into a file, not into a folder for a hub")
    workspace = app.workspace()
    ctx = app.context(network=workspace.repo().network)
    made: Exported | HfExported
    if hf_folder is not None:
        made = export_hf(ctx, workspace, hf_folder, ref, replace=force)
    else:
        kind = None if weights_format is None else WeightsFormat(weights_format)
        made = export(
            *(ctx, workspace, ref, output),
            weights_format=kind,
            replace=force,
            own=own,
        )
    app.out.result(made, lambda: _text(made))
    if not made.verified:
        app.out.warn("this commit was not verified on this machine; see flair verify")


def _text(made: Exported | HfExported) -> str:
    if isinstance(made, HfExported):
        return fields(
            (
                ("commit", made.commit),
                ("folder", made.folder),
                ("files", ", ".join(made.files)),
                ("bytes", made.n_bytes),
                ("sha256", made.sha256),
            )
        )
    return fields(
        (
            ("commit", f"{made.commit} ({made.kind})"),
            ("file", made.file),
            ("format", made.format),
            ("bytes", made.n_bytes),
            ("sha256", made.sha256),
        )
    )
