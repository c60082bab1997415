"""What training in a workspace starts from, and how its result is kept.

Used by `flair train` and by the door around a program of one's own; no verb itself.
"""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

import numpy as np

from flair_client.context import Context
from flair_client.errors import Refused, StaleBase, WorkspaceError
from flair_client.ids import Cid, CommitId, Digest
from flair_client.objects import Manifest, Role
from flair_client.porcelain.checkout import (
    blocks_of,
    manifest_of,
    recipe_at,
    recipe_files,
)
from flair_client.porcelain.commit import TRAINED, allowed_metrics, bucket
from flair_client.porcelain.terms import Terms
from flair_client.porcelain.trust import trust_offline
from flair_client.porcelain.update_delta import is_sent
from flair_client.store.base import Store
from flair_client.training.noisy_steps import NoisySteps
from flair_client.training.recipe import RECIPE_FILE, TrainingRecipe, parse_recipe
from flair_client.training.run import RoundKind
from flair_client.workspace import Workspace

_PACKAGES: Final = {"torch": "torch", "sklearn": "scikit-learn"}


@dataclass(frozen=True, slots=True)
class Trained:
    """New weights on this machine, and what of them a commit would carry.

    Attributes:
        base: the commit that they were trained from.
        kind: statistics in round 0, training later.
        samples_bucket: what is said of the number of samples.
        seed: of the order of the rows; None for statistics.
        metrics_before: of the base, over the rows trained on; empty where the recipe's
            own code trained.
        metrics: of the new weights, over the same rows.
        length: of the update by the policy's bound, before it was clipped to it.
        n_clipped: column → values outside the recipe's plausible range.
        sent_tensors: names of the tensors that a push sends.
        sent_fields: names of the other fields that a push sends.
        metrics_kept: names of metrics that stay here: the recipe does not list them, or
            their value is no finite number.
        other_versions: what the recipe pins and is here in another version.
        resumed: whether it went on from a run that was cut off.
        sandboxed: False where the recipe's code ran without a sandbox; None where none
            of it ran.
        noisy_steps: the noise that the training had, by its own word.
    """

    base: CommitId
    branch: str
    round_index: int
    kind: RoundKind
    num_samples: int
    samples_bucket: int
    epochs: int
    seed: int | None
    metrics_before: Mapping[str, float]
    metrics: Mapping[str, float]
    length: float
    n_clipped: Mapping[str, int]
    file: Path
    sent_tensors: tuple[str, ...]
    sent_fields: tuple[str, ...]
    metrics_kept: tuple[str, ...] = ()
    other_versions: tuple[str, ...] = ()
    resumed: bool = False
    sandboxed: bool | None = None
    noisy_steps: NoisySteps | None = None


@dataclass(frozen=True, slots=True)
class Given:
    """What a run starts from, everything trusted and allowed by the site.

    Attributes:
        recipe: within the policy's bounds.
        files: of the recipe.
    """

    terms: Terms
    recipe_digest: Digest
    recipe: TrainingRecipe
    files: Mapping[str, bytes]
    manifest: Manifest
    store: Store

    @property
    def roles(self) -> dict[str, Role]:
        """Role of each tensor."""
        return {entry.name: entry.role for entry in self.manifest.tensors}

    @property
    def kind(self) -> RoundKind:
        """What the round collects."""
        is_statistics = self.terms.is_statistics
        return RoundKind.STATISTICS if is_statistics else RoundKind.TRAINING


def given_now(ctx: Context, workspace: Workspace) -> Given:
    """Reads what to start from.

    Raises:
        WorkspaceError: nothing was checked out.
        TrustRequired: recipe, policy or owner were not accepted.
        StaleBase: HEAD is not the base of the round.
        SiteRefused: the site allows no such recipe or mode.
    """
    head = workspace.head()
    if head is None or head.commit is None:
        raise WorkspaceError("nothing was checked out here yet")
    store = blocks_of(ctx, workspace)
    cid = recipe_at(store, head.commit)
    terms = trust_offline(ctx, workspace, cid)
    if terms.base != head.commit:
        raise StaleBase(
            f"HEAD is {head.commit.short}, the round's base {terms.base.short}"
        )
    return given_at(
        ctx, workspace, store, manifest_of(store, head.commit), cid, head.commit
    )


def given_at(  # noqa: PLR0917 - where it is, then what it is
    ctx: Context,
    workspace: Workspace,
    store: Store,
    manifest: Manifest,
    recipe: Cid,
    base: CommitId,
) -> Given:
    """Reads what a run of a recipe's code on any state needs; none is trained from it.

    Args:
        ctx: of whoever runs it.
        workspace: where the recipe was accepted.
        store: where the blocks lie.
        manifest: of the state.
        recipe: in force for it.
        base: the commit whose state it is, or that it was made from.

    Raises:
        TrustRequired: recipe, policy or owner were not accepted.
        SiteRefused: the site allows no such recipe or mode.
    """
    terms = replace(trust_offline(ctx, workspace, recipe), base=base)
    digest = Digest(recipe.digest)
    ctx.site.check_train(mode=terms.policy.params.mode, recipe=digest)
    files = recipe_files(store, recipe)
    said = bounded(parse_recipe(files[RECIPE_FILE]), terms)
    return Given(terms, digest, said, files, manifest, store)


def bounded(recipe: TrainingRecipe, terms: Terms) -> TrainingRecipe:
    """The recipe with no more epochs and no larger batches than the policy allows."""
    max_epochs, max_batch_size = _bounds(terms)
    return replace(
        recipe,
        epochs=min(recipe.epochs, max_epochs or recipe.epochs),
        batch_size=min(recipe.batch_size, max_batch_size or recipe.batch_size),
    )


def _bounds(terms: Terms) -> tuple[int, int]:
    params = terms.policy.params
    return params.max_epochs, params.max_batch_size


def check_epochs(given: Given, epochs: int) -> None:
    """Refuses more passes over the data than the policy allows.

    Raises:
        Refused: tells both numbers.
    """
    limit, _ = _bounds(given.terms)
    if limit and epochs > limit:
        raise Refused(f"{epochs} epochs were made, the policy allows {limit}")


def framework_text(framework: str) -> str:
    """What is said of the software: versions found here, no words of a recipe's."""
    text = f"flair {version('flair-hub')}, numpy {np.__version__}"
    package = _PACKAGES.get(framework)
    if package is not None:
        with suppress(PackageNotFoundError):
            text += f", {package} {version(package)}"
    return text


def keep_marker(
    workspace: Workspace,
    given: Given,
    digest: Digest,
    *,
    num_samples: int,
    epochs: int,
    seed: int | None,
    metrics: Mapping[str, float],
    source: str | None,
    noisy_steps: NoisySteps | None = None,
) -> None:
    """Writes down which file the weights must be in; after the file itself.

    Cut off between the two, the marker of an earlier run does not fit the file, and
    `flair commit` says so.
    """
    workspace.set_marker(
        TRAINED,
        {
            "base": str(given.terms.base),
            "sha256": str(digest),
            "num_samples": num_samples,
            "epochs": epochs,
            "framework": framework_text(given.recipe.framework),
            "seed": seed,
            "metrics": dict(metrics),
            "source": source,
            "noisy_steps": None if noisy_steps is None else noisy_steps.save(),
        },
    )


def summary(
    ctx: Context,
    workspace: Workspace,
    given: Given,
    *,
    num_samples: int,
    epochs: int,
    seed: int | None,
    metrics: Mapping[str, float],
    length: float,
    metrics_before: Mapping[str, float] | None = None,
    n_clipped: Mapping[str, int] | None = None,
) -> Trained:
    """Tells what was made, and what of it a push would send."""
    terms = given.terms
    return Trained(
        base=terms.base,
        branch=terms.branch,
        round_index=terms.round_index,
        kind=given.kind,
        num_samples=num_samples,
        samples_bucket=bucket(num_samples),
        epochs=epochs,
        seed=seed,
        metrics_before=metrics_before or {},
        metrics=metrics,
        length=length,
        n_clipped=n_clipped or {},
        file=workspace.update_path,
        sent_tensors=tuple(
            entry.name
            for entry in given.manifest.tensors
            if is_sent(entry.role, is_statistics=terms.is_statistics)
        ),
        sent_fields=_sent_fields(ctx, given.recipe, metrics, seed),
    )


def _sent_fields(
    ctx: Context, recipe: TrainingRecipe, metrics: Mapping[str, float], seed: int | None
) -> tuple[str, ...]:
    fields = ["training.samples_bucket", "training.epochs", "training.framework"]
    if seed is not None:
        fields.append("training.seed")
    listed = allowed_metrics(recipe, metrics)
    return (
        *fields,
        *(f"metrics.{name}" for name in listed if ctx.site.allows_metric(name)),
    )
