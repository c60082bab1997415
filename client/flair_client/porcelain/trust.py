"""What the user looked at and accepted: recipe, policy, owner.

Training and pushing go on only while these three are the ones that were accepted.
"""

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from flair_client.chain.accounts import PolicyAccount, PolicyParams, encode_account
from flair_client.context import Context
from flair_client.errors import ObjectInvalid, TrustRequired, WorkspaceError
from flair_client.ids import CODEC_DAG_CBOR, Address, Cid, Digest
from flair_client.porcelain.checkout import blocks_of, recipe_at, recipe_files
from flair_client.porcelain.policy import strategy_text
from flair_client.porcelain.target import find_repo
from flair_client.porcelain.terms import (
    DAMAGE,
    Terms,
    policy_from_bytes,
    save_terms,
    saved_terms,
    terms_now,
)
from flair_client.store.base import Store
from flair_client.strategies import choice_of
from flair_client.training.recipe import (
    MODEL_FILE,
    RECIPE_FILE,
    TRAIN_FILE,
    TrainingRecipe,
    parse_recipe,
)
from flair_client.training.requirements import Requirement, look_up, pip_line
from flair_client.workspace import Workspace, read_table, write_table


@dataclass(frozen=True, slots=True)
class TrustChange:
    """One thing that is not as it was accepted.

    Attributes:
        field: as `policy.norm_bound_sq` or `recipe columns`.
        old: None where nothing was accepted before.
        weaker: whether it protects the contributor less.
    """

    field: str
    old: str | None
    new: str
    weaker: bool


@dataclass(frozen=True, slots=True)
class TrustShown:
    """What is asked to be trusted, against what was trusted before.

    Attributes:
        first: whether nothing was trusted yet.
        accepted: whether it is trusted now.
        recipe_diff: lines of unified diffs of the recipe's files: settings, then code.
            At first they are the whole files.
        requirements: libraries that its code imports, and what of them is here.
        pip: what would install those that are not; None where all are. Nothing is
            installed by itself.
    """

    authority: Address
    authority_epoch: int
    recipe: Digest
    policy: Digest
    first: bool
    accepted: bool
    changes: tuple[TrustChange, ...]
    recipe_diff: tuple[str, ...]
    requirements: tuple[Requirement, ...] = ()
    pip: str | None = None


@dataclass(frozen=True, slots=True)
class Trusted:
    """What `.flair/trust.toml` says."""

    recipe: Cid
    policy: PolicyAccount
    authority: Address
    authority_epoch: int


def read_trust(ctx: Context, workspace: Workspace) -> Trusted | None:
    """Gives what was accepted in this workspace, or None.

    Raises:
        WorkspaceError: the file was damaged.
    """
    table = read_table(workspace.trust_path)
    if table is None:
        return None
    try:
        return Trusted(
            Cid(CODEC_DAG_CBOR, Digest.parse(table["recipe"]).raw),
            policy_from_bytes(ctx, bytes.fromhex(table["policy"])),
            Address.parse(table["authority"]),
            int(table["authority_epoch"]),
        )
    except DAMAGE as exc:
        raise WorkspaceError(f"{workspace.trust_path} is damaged: {exc}") from exc


def require_trust(
    ctx: Context, workspace: Workspace, terms: Terms, recipe: Cid
) -> None:
    """Refuses to go on where something is not as it was accepted.

    Raises:
        TrustRequired: names what changed.
    """
    trusted = read_trust(ctx, workspace)
    if trusted is None:
        raise TrustRequired("recipe, policy and owner were not accepted yet")
    changed = []
    if trusted.recipe != recipe:
        changed.append("the recipe")
    if trusted.policy.digest != terms.policy.digest:
        changed.append("the policy")
    if (trusted.authority, trusted.authority_epoch) != (
        terms.authority,
        terms.authority_epoch,
    ):
        changed.append("the owner")
    if changed:
        raise TrustRequired(f"{' and '.join(changed)} changed since it was accepted")


def trust(
    ctx: Context,
    workspace: Workspace,
    *,
    accept: bool,
    expected: TrustShown | None = None,
) -> TrustShown:
    """Shows what is asked to be trusted, and accepts it where told so.

    Args:
        ctx: read only.
        workspace: a clone.
        accept: whether the user accepts.
        expected: what the user was shown and accepts; nothing else is accepted.

    Raises:
        WorkspaceError: the workspace is no clone.
        TrustRequired: recipe, policy or owner are not the expected ones any more.
    """
    with workspace.lock():
        head = workspace.head()
        if head is None or head.commit is None:
            raise WorkspaceError("nothing was checked out here yet")
        terms = terms_now(find_repo(ctx, workspace.repo()).branch(head.branch))
        store = blocks_of(ctx, workspace)
        shown = _compare(
            store,
            read_trust(ctx, workspace),
            terms,
            recipe_at(store, head.commit),
            accepted=accept,
        )
        if expected is not None and _named(shown) != _named(expected):
            raise TrustRequired("recipe, policy or owner changed since they were shown")
        if accept:
            save_trust(workspace, terms, Cid(CODEC_DAG_CBOR, shown.recipe.raw))
            save_terms(workspace, terms)
        return shown


def _named(shown: TrustShown) -> tuple[object, ...]:
    return (shown.authority, shown.authority_epoch, shown.recipe, shown.policy)


def trust_offline(ctx: Context, workspace: Workspace, recipe: Cid) -> Terms:
    """Gives the kept terms where they are still what was accepted.

    Raises:
        TrustRequired: they are not.
    """
    terms = saved_terms(ctx, workspace)
    require_trust(ctx, workspace, terms, recipe)
    return terms


def save_trust(workspace: Workspace, terms: Terms, recipe: Cid) -> None:
    """Writes down what was accepted."""
    write_table(
        workspace.trust_path,
        {
            "recipe": str(Digest(recipe.digest)),
            "policy": encode_account(terms.policy).hex(),
            "authority": str(terms.authority),
            "authority_epoch": terms.authority_epoch,
        },
    )


def _compare(
    store: Store, old: Trusted | None, terms: Terms, recipe: Cid, *, accepted: bool
) -> TrustShown:
    new_files = _shown_files(store, recipe)
    old_files: Mapping[str, str] = {}
    changes: list[TrustChange] = []
    now = parse_recipe(new_files[RECIPE_FILE])
    if old is None:
        changes += [
            TrustChange(f"policy.{name}", None, str(value), weaker=False)
            for name, value in _policy_fields(terms.policy.params).items()
        ]
        changes.append(TrustChange("owner", None, str(terms.authority), weaker=False))
    else:
        old_files = new_files
        if old.recipe != recipe:
            old_files = _shown_files(store, old.recipe)
            changes += recipe_changes(parse_recipe(old_files[RECIPE_FILE]), now)
        changes += policy_changes(old.policy.params, terms.policy.params)
        if (old.authority, old.authority_epoch) != (
            terms.authority,
            terms.authority_epoch,
        ):
            changes.append(
                TrustChange(
                    "owner", str(old.authority), str(terms.authority), weaker=True
                )
            )
    requirements = look_up(now.requirements)
    missing = [one for one in requirements if one.installed is None]
    is_same = old is not None and (
        (old.recipe, old.policy.digest, old.authority, old.authority_epoch)
        == (recipe, terms.policy.digest, terms.authority, terms.authority_epoch)
    )
    return TrustShown(
        terms.authority,
        terms.authority_epoch,
        Digest(recipe.digest),
        terms.policy.digest,
        old is None,
        accepted or is_same,
        tuple(changes),
        tuple(_diff(old_files, new_files)),
        requirements,
        pip_line(missing) if missing else None,
    )


def _shown_files(store: Store, recipe: Cid) -> dict[str, str]:
    """What of a recipe is looked at: settings and code."""
    files = recipe_files(store, recipe)
    return {
        name: files[name].decode()
        for name in (RECIPE_FILE, MODEL_FILE, TRAIN_FILE)
        if name in files
    }


def _diff(old: Mapping[str, str], new: Mapping[str, str]) -> Iterator[str]:
    for name in (RECIPE_FILE, MODEL_FILE, TRAIN_FILE):
        suffix = "" if name == RECIPE_FILE else f" {name}"
        yield from difflib.unified_diff(
            old.get(name, "").splitlines(),
            new.get(name, "").splitlines(),
            f"trusted{suffix}",
            f"now{suffix}",
            lineterm="",
        )


def _policy_fields(params: PolicyParams) -> dict[str, Any]:
    return {
        name: getattr(params, name)
        for name in (
            "mode",
            "dp_rule",
            "proof_system",
            "bits",
            "contribute",
            "reveal_after_close",
            "scale_exp",
            "weight_cap",
            "min_updates",
            "max_updates",
            "n_params",
            "norm_bound_sq",
            "eta_q24",
            "round_length_s",
            "merge_grace_s",
            "challenge_s",
            "approvals_needed",
            "attestations_needed",
            "deposit_lamports",
            "recipe_digest",
            "max_epochs",
            "max_batch_size",
        )
    } | {"strategy": strategy_text(params)}


def policy_changes(old: PolicyParams, new: PolicyParams) -> list[TrustChange]:
    """What differs between two policies, and whether it protects less.

    Weaker is: an update may be longer, finer, trained for longer or unprotected; fewer
    are merged at once; anybody may take part; it is shown earlier; less time to object;
    fewer agree to a merge; more is held back; it withstands fewer hostile updates.
    """
    before, after = _policy_fields(old), _policy_fields(new)
    weaker = {
        "mode": new.mode < old.mode,
        "dp_rule": new.dp_rule < old.dp_rule,
        "proof_system": new.proof_system < old.proof_system,
        "bits": new.bits > old.bits,
        "contribute": new.contribute < old.contribute,
        "reveal_after_close": new.reveal_after_close < old.reveal_after_close,
        # Finer, or the same integers are a longer update.
        "scale_exp": new.scale_exp < old.scale_exp or _bound(new) > _bound(old),
        "min_updates": new.min_updates < old.min_updates,
        "norm_bound_sq": _bound(new) > _bound(old),
        "challenge_s": new.challenge_s < old.challenge_s,
        "approvals_needed": new.approvals_needed < old.approvals_needed,
        "attestations_needed": new.attestations_needed < old.attestations_needed,
        "deposit_lamports": new.deposit_lamports > old.deposit_lamports,
        "recipe_digest": not any(new.recipe_digest.raw),
        "max_epochs": _epochs(new) > _epochs(old),
        "strategy": _attackers(new) < _attackers(old),
    }
    return [
        TrustChange(
            f"policy.{name}",
            str(before[name]),
            str(after[name]),
            weaker=weaker.get(name, False),
        )
        for name in before
        if before[name] != after[name]
    ]


def _epochs(params: PolicyParams) -> float:
    """The most passes over the data; no limit is more than any."""
    return params.max_epochs or float("inf")


def _attackers(params: PolicyParams) -> int:
    """Hostile updates that the strategy withstands; none where it promises nothing."""
    try:
        return choice_of(params).params.get("f", 0)
    except ObjectInvalid:
        return 0


def _bound(params: PolicyParams) -> float:
    """The squared norm bound in squared units of the weights."""
    return float(params.norm_bound_sq) * 4.0**params.scale_exp


def recipe_changes(old: TrainingRecipe, new: TrainingRecipe) -> list[TrustChange]:
    """What of a recipe came or went; what came shows or runs more than before."""
    pairs = (
        ("columns", [c.name for c in old.columns], [c.name for c in new.columns]),
        ("inputs", [c.name for c in old.inputs], [c.name for c in new.inputs]),
        ("metrics", list(old.metrics), list(new.metrics)),
        ("code", _code_of(old), _code_of(new)),
        ("requirements", list(old.requirements), list(new.requirements)),
    )
    changes = [
        TrustChange(
            f"recipe {name}",
            ", ".join(before),
            ", ".join(after),
            weaker=bool(set(after) - {*before}),
        )
        for name, before, after in pairs
        if before != after
    ]
    limits = (
        ("statistics.min_rows", old.statistics_min_rows, new.statistics_min_rows, -1),
        ("training.max_seconds", old.max_seconds, new.max_seconds, 1),
        ("training.max_memory_bytes", old.max_memory_bytes, new.max_memory_bytes, 1),
    )
    changes += [
        TrustChange(
            f"recipe {name}",
            str(before),
            str(after),
            weaker=(after - before) * direction > 0,
        )
        for name, before, after, direction in limits
        if before != after
    ]
    return changes


def _code_of(recipe: TrainingRecipe) -> list[str]:
    return [recipe.entry] if recipe.has_code else []
