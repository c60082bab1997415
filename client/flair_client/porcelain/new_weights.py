"""New weights of the model at HEAD, from a file of any kind; no verb itself."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from flair_client.context import Context
from flair_client.porcelain.checkout import blocks_of, manifest_of
from flair_client.weights.exporting import header_of
from flair_client.weights.opening import as_safetensors
from flair_client.workspace import Workspace


@contextmanager
def new_weights(
    ctx: Context, workspace: Workspace, path: Path | None
) -> Iterator[Path | None]:
    """Gives, for a while, a safetensors file with the names that the model at HEAD has.

    Names and dtypes are fitted as `weights.foreign.fit` tells; whether the tensors are
    the model's is for the verb to check.

    Args:
        ctx: fetches blocks that are not here.
        workspace: where something was checked out; without that, and without a path,
            the path is given as it is.
        path: .safetensors, .npz, or a PyTorch state dict.

    Raises:
        As `weights.opening.as_safetensors`.
    """
    head = workspace.head()
    if path is None or head is None or head.commit is None:
        yield path
        return
    store = blocks_of(ctx, workspace)
    header = header_of(manifest_of(store, head.commit), store)
    with as_safetensors(path, header) as fitted:
        yield fitted
