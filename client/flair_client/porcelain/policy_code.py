"""One run of a workspace's own recipe code, to see how far it moves the model.

Used by `flair policy suggest`; no verb itself. Nothing of it is kept.
"""

import math
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from flair_client.data_sources import DataSource
from flair_client.errors import UsageError
from flair_client.porcelain.checkout import workspace_recipe
from flair_client.porcelain.new_update import write_update
from flair_client.porcelain.recipe_run import RecipeJob, run_recipe
from flair_client.porcelain.recipe_train import run_source
from flair_client.porcelain.update_delta import is_sent
from flair_client.progress import NO_PROGRESS, Progress
from flair_client.site_rules import SiteRules
from flair_client.training.recipe import TrainingRecipe
from flair_client.training.requirements import check_installed
from flair_client.weights import roles_by_pattern
from flair_client.weights.opening import header_at
from flair_client.workspace import Workspace


@dataclass(frozen=True, slots=True)
class CodeRun:
    """How a recipe's code is run.

    Attributes:
        device: `auto`, `cpu`, `cuda` or `mps`.
        sandboxed: False runs it without a sandbox, as if it were the user's own.
        hidden: folders that nothing readable may hold, besides the home folder.
        site: what this machine's own IT allows.
    """

    device: str = "auto"
    sandboxed: bool = True
    hidden: tuple[Path, ...] = ()
    site: SiteRules = field(default_factory=SiteRules)


def code_update(
    workspace: Workspace,
    recipe: TrainingRecipe,
    source: DataSource,
    folder: Path,
    *,
    seed: int | None,
    how: CodeRun,
    progress: Progress = NO_PROGRESS,
) -> Path:
    """Trains the workspace's weights with the code that lies in it.

    As in a repository: where the recipe collects statistics, they come first.

    Args:
        workspace: with recipe, code and weights.
        recipe: what its `flair.toml` says.
        source: the data.
        folder: takes the new weights, and everything on the way.
        seed: of everything random, instead of the recipe's.
        how: the code is run.
        progress: of the training.

    Returns:
        A safetensors file of the new weights, as long as training made them.

    Raises:
        As `run_recipe` and `write_update`.
        RequirementsMissing: the code needs what is not installed.
        UsageError: code that the recipe names is not there, or it is a repository's,
            whose code nobody may have looked at.
        SiteRefused: the site runs no recipe without a sandbox.
    """
    if workspace.is_bound:
        raise UsageError(
            f"the code is that of {workspace.repo()}: only `flair train` runs it, once "
            "it is trusted; leave out the data to look at that run"
        )
    how.site.check_sandbox(sandboxed=how.sandboxed)
    check_installed(recipe.requirements)
    files = workspace_recipe(workspace)
    base = workspace.weights_path
    role_of = roles_by_pattern(recipe.roles)
    spans = header_at(base).spans.values()
    roles = {span.name: role_of(span.name, span.dtype) for span in spans}
    for is_statistics in (True, False) if recipe.statistics else (False,):
        round_index = 0 if is_statistics else 1
        job = RecipeJob(
            files=files,
            recipe=recipe,
            identity=f"suggest {round_index}",
            base=base,
            roles=roles,
            source=run_source(source),
            seed=recipe.seed if seed is None else seed,
            device=how.device,
            round_index=round_index,
            is_statistics=is_statistics,
            sandboxed=how.sandboxed,
            hidden=how.hidden,
        )
        run = run_recipe(job, folder / f"run{round_index}", progress=progress)
        made = folder / f"made{round_index}.safetensors"
        write_update(
            base,
            run.weights,
            roles,
            made,
            norm_bound=math.inf,
            is_sent=partial(is_sent, is_statistics=is_statistics),
        )
        base = made
    return base
