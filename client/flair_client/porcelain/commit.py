"""Signs an update, or a snapshot, of the model at HEAD; nothing leaves the machine."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from flair_client.audit import AuditKind
from flair_client.context import Context
from flair_client.data_sources import ledger_name
from flair_client.encoding import commit_id as id_of
from flair_client.encoding import encode_commit, sign_commit
from flair_client.errors import (
    NotTrained,
    StaleBase,
    UsageError,
    WorkspaceError,
)
from flair_client.ids import CODEC_DAG_CBOR, Cid, CommitId, Digest
from flair_client.objects import Commit, CommitKind, Privacy, Training
from flair_client.porcelain.auditing import refusals_written_down
from flair_client.porcelain.checkout import (
    blocks_of,
    manifest_of,
    recipe_at,
    training_recipe,
)
from flair_client.porcelain.protection import (
    PrivacyAsked,
    has_noise,
    plan_protection,
    source_of,
)
from flair_client.porcelain.terms import Terms
from flair_client.porcelain.transfer import blocks_of_commit
from flair_client.porcelain.trust import trust_offline
from flair_client.porcelain.update_delta import MadeDelta, make_delta
from flair_client.store.base import Store
from flair_client.training.noisy_steps import NoisySteps
from flair_client.training.recipe import TrainingRecipe
from flair_client.weights import digest_of_file
from flair_client.workspace import Workspace

PENDING: Final = "pending"
TRAINED: Final = "trained"
_NONCE_SIZE: Final = 16


@dataclass(frozen=True, slots=True)
class Committed:
    """A signed update, and what of it would leave the machine.

    Attributes:
        weight: its weight in the merge.
        n_bytes: of all blocks that a push sends.
        n_tensors: tensors that are not all zero.
        clipped: norm of the update before clipping divided by the policy's bound; at
            most 1 means that nothing was clipped.
        zero_share: share of changed values that were rounded to zero.
        metrics: names and values that leave.
        metrics_withheld: names that the recipe would let leave and that do not: the
            site forbids them, or there is noise, which they would go around.
        source: the data source that its privacy loss is counted for.
        privacy: what is stated about the protection of the data.
    """

    commit: CommitId
    branch: str
    round_index: int
    base: CommitId
    weight: int
    samples_bucket: int
    n_bytes: int
    n_blocks: int
    n_tensors: int
    clipped: float
    zero_share: float
    metrics: Mapping[str, float]
    metrics_withheld: tuple[str, ...]
    source: str | None
    privacy: Privacy


@dataclass(frozen=True, slots=True)
class _Facts:
    """What is known about how the weights were made."""

    num_samples: int
    epochs: int
    framework: str
    seed: int | None
    metrics: Mapping[str, float]
    source: str | None
    noisy_steps: NoisySteps | None = None


def bucket(num_samples: int) -> int:
    """The largest power of two that is not above a number of samples."""
    return 1 << (max(num_samples, 1).bit_length() - 1)


def commit(
    ctx: Context,
    workspace: Workspace,
    *,
    message: str,
    weights: Path | None = None,
    num_samples: int | None = None,
    source: str | None = None,
    privacy: PrivacyAsked | None = None,
) -> Committed:
    """Signs the update that `flair train` made, or that lies in a file of weights.

    Asked for privacy, it clips the update to a smaller norm and adds noise; what that
    gives away is counted for the data source when it is pushed.

    Args:
        ctx: with the contributor's wallet, or its machine key; the chain is not
            asked.
        workspace: a clone, trusted.
        message: what was done.
        weights: new weights from elsewhere, as a safetensors file.
        num_samples: how many samples stand behind that file.
        source: the data source behind that file.
        privacy: how much the update may give away; without it there is no noise.

    Raises:
        StaleBase: the update was trained from another commit than HEAD.
        TrustRequired: recipe, policy or owner were not accepted.
        TensorMismatch: other tensors than the base.
        NotFinite: NaN or infinity.
        UsageError: the policy requires noise, and nobody said how much.
        SiteRefused: a rule of the site forbids it.
        BudgetSpent: the data source has given away what it may.
    """
    with workspace.lock(), refusals_written_down(ctx, "commit"):
        head = workspace.head()
        if head is None or head.commit is None:
            raise WorkspaceError("nothing was checked out here yet")
        store = blocks_of(ctx, workspace)
        recipe = recipe_at(store, head.commit)
        terms = trust_offline(ctx, workspace, recipe)
        if terms.base != head.commit:
            raise StaleBase(
                f"HEAD is {head.commit.short}, the round's base {terms.base.short}"
            )
        named = None if source is None else ledger_name(ctx.home, source)
        facts = _facts(workspace, head.commit, weights, num_samples, named)
        manifest = manifest_of(store, head.commit)
        protection = plan_protection(
            *(ctx, terms, manifest),
            source=facts.source,
            asked=privacy,
            noisy_steps=facts.noisy_steps,
        )
        ctx.site.check_commit(
            mode=terms.policy.params.mode,
            recipe=Digest(recipe.digest),
            num_samples=facts.num_samples,
            has_noise=has_noise(ctx.site, protection.privacy),
        )
        path = weights or workspace.update_path
        with store.batch():
            made = make_delta(
                *(store, terms, ctx.contributor, manifest, path), noise=protection.noise
            )
            signed = _sign(
                *(ctx, store, terms, recipe),
                message=message,
                facts=facts,
                delta=made.cid,
                privacy=protection.privacy,
            )
        workspace.set_marker(
            PENDING,
            {
                "kind": "update",
                "commit": str(signed.commit_id),
                "weight": min(
                    bucket(facts.num_samples), terms.policy.params.weight_cap
                ),
                "nonce": secrets.token_hex(_NONCE_SIZE),
                "source": facts.source,
            },
        )
        _write_audit(ctx, workspace, terms, signed, facts)
    return _summary(store, terms, signed, made, facts)


def _write_audit(
    ctx: Context, workspace: Workspace, terms: Terms, signed: "_Signed", facts: _Facts
) -> None:
    ctx.write_audit(
        AuditKind.COMMIT,
        repo=str(workspace.repo() if workspace.is_bound else terms.repo),
        branch=terms.branch,
        round_index=terms.round_index,
        commit=str(signed.commit_id),
        source=facts.source,
        num_samples=facts.num_samples,
        metrics=sorted(signed.metrics),
        epsilon=signed.privacy.epsilon,
        delta=signed.privacy.delta,
    )


def _facts(
    workspace: Workspace,
    base: CommitId,
    weights: Path | None,
    num_samples: int | None,
    source: str | None,
) -> _Facts:
    if weights is not None:
        if num_samples is None:
            raise UsageError("weights from elsewhere need the number of samples")
        return _Facts(num_samples, 0, "other", None, {}, source)
    trained = workspace.marker(TRAINED)
    if trained is None or not workspace.update_path.exists():
        raise NotTrained("there is no update: nothing was trained here yet")
    if trained.get("base") != str(base):
        raise StaleBase("the update was trained from another commit than HEAD")
    # A kill between the file and the marker, or an edit, leaves two that do not belong
    # together.
    if trained.get("sha256") != str(digest_of_file(workspace.update_path)):
        raise NotTrained(
            f"{workspace.update_path.name} is not the file that was trained"
        )
    seed = trained.get("seed")
    return _Facts(
        int(trained["num_samples"]),
        int(trained["epochs"]),
        str(trained["framework"]),
        None if seed is None else int(seed),
        {name: float(value) for name, value in trained.get("metrics", {}).items()},
        source_of(trained),
        NoisySteps.load(trained.get("noisy_steps")),
    )


@dataclass(frozen=True, slots=True)
class _Signed:
    commit_id: CommitId
    metrics: Mapping[str, float]
    metrics_withheld: tuple[str, ...]
    privacy: Privacy


def _sign(
    ctx: Context,
    store: Store,
    terms: Terms,
    recipe: Cid,
    *,
    message: str,
    facts: _Facts,
    delta: Cid,
    privacy: Privacy,
) -> _Signed:
    listed = allowed_metrics(training_recipe(store, recipe), facts.metrics)
    # Measured on the data without noise, they would go around it.
    metrics = {
        name: value
        for name, value in listed.items()
        if privacy.epsilon is None and ctx.site.allows_metric(name)
    }
    unsigned = Commit(
        kind=CommitKind.UPDATE,
        repo=terms.repo,
        branch=terms.branch,
        parents=(terms.base,),
        author=ctx.wallet.address,
        message=message,
        time=ctx.now(),
        policy=terms.policy.digest,
        round_index=terms.round_index,
        delta=delta,
        recipe=recipe,
        training=Training(
            samples_bucket=bucket(facts.num_samples),
            epochs=facts.epochs,
            framework=facts.framework,
            seed=facts.seed,
        ),
        metrics=metrics or None,
        privacy=privacy,
    )
    block = encode_commit(sign_commit(unsigned, ctx.wallet.address, ctx.wallet.sign))
    store.put(CODEC_DAG_CBOR, block)
    withheld = tuple(name for name in listed if name not in metrics)
    return _Signed(id_of(block), metrics, withheld, privacy)


def allowed_metrics(
    recipe: TrainingRecipe, metrics: Mapping[str, float]
) -> dict[str, float]:
    """Only the metrics that the recipe lists."""
    return {name: metrics[name] for name in sorted(metrics) if name in recipe.metrics}


def _summary(
    store: Store, terms: Terms, signed: _Signed, made: MadeDelta, facts: _Facts
) -> Committed:
    outgoing = list(blocks_of_commit(store, signed.commit_id))
    return Committed(
        signed.commit_id,
        terms.branch,
        terms.round_index,
        terms.base,
        min(bucket(facts.num_samples), terms.policy.params.weight_cap),
        bucket(facts.num_samples),
        sum(one.size for one in outgoing),
        len(outgoing),
        made.n_tensors,
        made.clipped,
        made.zero_share,
        signed.metrics,
        signed.metrics_withheld,
        facts.source,
        signed.privacy,
    )
