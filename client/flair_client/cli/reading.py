"""Where a REF is looked up: in the workspace, or where the text says.

That is another repository, `flair://…[@REF]`, or another workspace, `PATH[@REF]` with
a `/` in it.
"""

from pathlib import Path

from flair_client.cli.session import App
from flair_client.errors import NotAWorkspace
from flair_client.porcelain.reading import Reading, reading_here, reading_there
from flair_client.repo_address import SCHEME
from flair_client.workspace import Workspace


def open_reading(app: App, text: str | None) -> tuple[Reading, str | None]:
    """Opens what a text names, and gives the rest of it: a ref, or None for HEAD.

    Args:
        app: of the command.
        text: a ref of the workspace, or a repository's address or another workspace's
            path, each with or without @REF.

    Raises:
        NotAWorkspace: a ref without a workspace, or a path that leads to none.
        AccountMissing: there is no such repository.
    """
    if text is not None and "/" in text:
        found = _workspace_at(text)
        if found is not None:
            workspace, ref = found
            return _open_here(app, workspace), ref
        address = app.repo_address(text)
        ctx = app.context(network=address.network)
        return reading_there(ctx, address.at(None)), address.ref
    return _open_here(app, app.workspace()), text


def _open_here(app: App, workspace: Workspace) -> Reading:
    network = workspace.repo().network
    return reading_here(app.context(network=network), workspace)


def _workspace_at(text: str) -> tuple[Workspace, str | None] | None:
    """The workspace that a path names, with what stands behind its last @."""
    if text.startswith(SCHEME):
        return None
    for path, ref in ((text, None), text.rpartition("@")[::2]):
        workspace = Workspace(Path(path).expanduser().absolute())
        if path and workspace.state_folder.is_dir():
            return workspace, ref
    if text.startswith((".", "/", "~")):
        raise NotAWorkspace(f"there is no workspace at {text}")
    return None
