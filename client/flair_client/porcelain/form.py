"""Which form of frozen tensors a workspace takes, and what that saves; no verb itself.

A clone takes the light form where the repository has one: whoever trains only computes
with these tensors. A workspace that a model was published from takes the full form.
"""

from dataclasses import dataclass
from typing import Final

from flair_client.objects import Manifest
from flair_client.training.recipe import TrainingRecipe
from flair_client.workspace import Workspace

_MARKER: Final = "form"


@dataclass(frozen=True, slots=True)
class Fetched:
    """What came over from the shared store.

    Attributes:
        n_blocks: that were not here before.
        n_bytes: of them.
        model_bytes: of the whole model in its own dtypes.
        is_light: whether the light form of frozen tensors is what is here.
    """

    n_blocks: int
    n_bytes: int
    model_bytes: int
    is_light: bool


def takes_light(workspace: Workspace) -> bool:
    """Whether the workspace takes the light form where there is one."""
    return (workspace.marker(_MARKER) or {}).get("light") is True


def keep_form(workspace: Workspace, *, light: bool) -> None:
    """Writes down which form the workspace takes from now on."""
    workspace.set_marker(_MARKER, {"light": light})


def is_light(recipe: TrainingRecipe, manifest: Manifest, takes_light: bool) -> bool:
    """Whether the weights of a commit are checked out in their light form.

    Only where the recipe allows it: the full form is what was trained before.
    """
    has_one = any(entry.light is not None for entry in manifest.tensors)
    return recipe.int8_base and has_one and takes_light
