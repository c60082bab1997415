"""`flair clone`: fetches a repository into a new workspace."""

from dataclasses import replace
from pathlib import Path

import click

from flair_client.cli.command import command
from flair_client.cli.form import fetched_text, form_option
from flair_client.cli.session import App
from flair_client.cli.trust import trust_text
from flair_client.context import Context
from flair_client.porcelain.clone import Cloned, clone
from flair_client.porcelain.trust import trust
from flair_client.workspace import Workspace


@command(
    "clone",
    result=Cloned,
    examples=(
        "flair clone flair://devnet/9xQe…VkjF/heart",
        "flair clone 9xQe…VkjF/heart my-copy --trust",
        "flair clone flair://localnet/9xQe…VkjF/heart@trial",
        "flair clone 9xQe…VkjF/heart --store https://store.example",
    ),
)
@click.argument("address")
@click.argument("folder", type=click.Path(path_type=Path), required=False)
@form_option
@click.option(
    "--store",
    metavar="URL",
    help="Where the repository's blocks are, instead of the network's store.",
)
@click.option(
    "--trust",
    "--accept",
    "accept",
    is_flag=True,
    help="Accept recipe, policy and owner without a look.",
)
def clone_command(
    app: App,
    address: str,
    folder: Path | None,
    *,
    light: bool | None,
    store: str | None,
    accept: bool,
) -> None:
    """Fetches a repository into a new workspace.

    Every commit is verified from the first one on. FOLDER is the repository's name
    where none is given. In a terminal recipe, policy and owner are shown, and you are
    asked whether you trust them; elsewhere `--trust` accepts them, or `flair trust`
    afterwards. Cut off on the way, the same command goes on where it stopped.
    """
    repo = app.repo_address(address)
    ctx = app.context(network=repo.network, new_workspace=True, store=store)
    cloned = clone(
        ctx, repo, folder or Path(repo.name), trust=accept, light=light is not False
    )
    cloned = ask_for_trust(app, ctx, cloned)
    for sentence in cloned.complaints:
        app.out.warn(sentence)
    if cloned.fault is None:
        app.out.result(cloned, lambda: _text(cloned))
    else:
        app.out.result(cloned, lambda: _text(cloned), exit_code=5, message=cloned.fault)
        app.out.warn(
            f"the head of {cloned.branch!r} is invalid: {cloned.fault}; "
            f"the last valid commit is {cloned.commit.short}"
        )
    if cloned.fetched is not None:
        app.out.note(fetched_text(cloned.fetched))
    if not cloned.trusted:
        app.out.note("not trusted yet: look at it and accept it with `flair trust`")


def ask_for_trust(app: App, ctx: Context, cloned: Cloned) -> Cloned:
    """Shows in a terminal what a new clone runs and asks for, and asks about it."""
    if cloned.trusted or not app.is_interactive:
        return cloned
    workspace = Workspace(Path(cloned.folder))
    shown = trust(ctx, workspace, accept=False)
    app.out.note(trust_text(shown, color=app.out.color))
    if not click.confirm("Do you trust this recipe, policy and owner?", err=True):
        return cloned
    trust(ctx, workspace, accept=True, expected=shown)
    return replace(cloned, trusted=True)


def _text(cloned: Cloned) -> str:
    if not cloned.n_verified:
        return f"{cloned.folder} is a clone of {cloned.repo} already"
    checked = "commit" if cloned.n_verified == 1 else "commits"
    return (
        f"cloned {cloned.repo} into {cloned.folder}\n"
        f"{cloned.branch} at {cloned.commit.short}, "
        f"{cloned.n_verified} {checked} verified"
    )
