"""Where a REF is looked up: in the workspace, or in the repository that it names."""

from flair_client.cli.session import App
from flair_client.porcelain.reading import Reading, reading_here, reading_there


def open_reading(app: App, text: str | None) -> tuple[Reading, str | None]:
    """Opens what a text names, and gives the rest of it: a ref, or None for HEAD.

    Args:
        app: of the command.
        text: a ref of the workspace, or a repository's address with or without @REF.

    Raises:
        NotAWorkspace: a ref without a workspace.
        AccountMissing: there is no such repository.
    """
    if text is not None and "/" in text:
        address = app.repo_address(text)
        ctx = app.context(network=address.network)
        return reading_there(ctx, address.at(None)), address.ref
    workspace = app.workspace()
    ctx = app.context(network=workspace.repo().network)
    return reading_here(ctx, workspace), text
