"""`flair policy`: makes and shows policies, the rules of rounds."""

from typing import Any

import click

from flair_client.cli.command import command, group
from flair_client.cli.options import (
    branch_option,
    policy_options,
    policy_overrides,
    repo_option,
)
from flair_client.cli.output import fields, table
from flair_client.cli.policy_suggest import suggest
from flair_client.cli.session import App
from flair_client.cli.types import (
    duration_text,
    least_to_most,
    sol_text,
    time_text,
    votes_text,
)
from flair_client.porcelain.policy import (
    Policy,
    PolicyCreated,
    PolicyList,
    PolicyUsed,
    policy_like,
    policy_list,
    policy_make,
    policy_params,
    policy_show,
    policy_use,
    strategy_text,
)


@group("policy", examples=("flair policy list", "flair policy show 0"))
def policy_command() -> None:
    """Makes and shows policies: the rules of rounds.

    A policy never changes. A branch names the one that its next round follows.
    """


@command(
    "create",
    result=PolicyCreated,
    examples=(
        "flair policy create --n-params 121 --min-updates 3 --round-length 7d",
        "flair policy create --like 0 --open",
        "flair policy create --strategy krum --strategy-param f=1 --min-updates 5",
    ),
)
@repo_option
@click.option(
    "--n-params",
    type=click.IntRange(min=1),
    metavar="N",
    help="Number of trainable and averaged values.",
)
@click.option(
    "--like",
    type=click.IntRange(min=0),
    metavar="N",
    help="Take what no flag says from this policy.",
)
@policy_options
def create(
    app: App,
    *,
    repo: str | None,
    n_params: int | None,
    like: int | None,
    **flags: Any,
) -> None:
    """Makes a policy; no branch uses it until `flair policy use`."""
    address = app.repo_address(repo)
    if n_params is None and like is None:
        raise click.UsageError("give --n-params, or --like with an older policy")
    ctx = app.context(signer=True, network=address.network)
    overrides = policy_overrides(flags)
    if like is not None:
        older = policy_show(ctx, address, like)
        params = policy_like(older, overrides, n_params=n_params)
    else:
        params = policy_params({}, overrides, n_params=n_params or 0)
    made = policy_make(ctx, address, params)
    app.out.result(made, lambda: f"policy {made.index} of {address}")
    app.out.note(f"`flair policy use {made.index}` makes it the next round's")


@command("show", result=Policy, examples=("flair policy show 0",))
@click.argument("index", type=click.IntRange(min=0))
@repo_option
def show(app: App, index: int, *, repo: str | None) -> None:
    """Shows a policy."""
    address = app.repo_address(repo)
    found = policy_show(app.context(network=address.network), address, index)
    app.out.result(found, lambda: policy_text(found))


def policy_text(policy: Policy) -> str:
    """Shows a policy to people."""
    params = policy.params
    who = "whoever was granted a role" if policy.contribute == "invited" else "anyone"
    noise = "required" if policy.dp == "required" else "none: updates are readable"
    return fields(
        (
            ("policy", policy.index),
            ("digest", policy.digest),
            ("made", time_text(policy.created_at)),
            ("contributors", who),
            ("privacy noise", noise),
            ("updates", least_to_most(params.min_updates, params.max_updates)),
            ("round length", duration_text(params.round_length_s)),
            ("merge grace", duration_text(params.merge_grace_s)),
            ("challenge", duration_text(params.challenge_s)),
            (
                "a merge needs",
                votes_text(params.approvals_needed, params.attestations_needed),
            ),
            ("norm bound", f"{policy.norm_bound:.6g}"),
            ("resolution", f"{params.bits} bits in units of 2^{params.scale_exp}"),
            ("values", params.n_params),
            ("weight cap", params.weight_cap),
            ("strategy", strategy_text(params)),
            ("eta", f"{policy.eta:.8g}"),
            ("most epochs", params.max_epochs or None),
            ("largest batch", params.max_batch_size or None),
            ("deposit", sol_text(params.deposit_lamports)),
        )
    )


@command("list", result=PolicyList, examples=("flair policy list",))
@repo_option
def list_(app: App, *, repo: str | None) -> None:
    """Lists a repository's policies and the branches that use them."""
    address = app.repo_address(repo)
    found = policy_list(app.context(network=address.network), address)
    rows = [
        (
            item.index,
            item.contribute,
            f"{item.params.min_updates}-{item.params.max_updates}",
            duration_text(item.params.round_length_s),
            f"{item.norm_bound:.4g}",
            ", ".join(found.used_by.get(item.index, ())) or "-",
        )
        for item in found.policies
    ]
    header = ("POLICY", "CONTRIBUTE", "UPDATES", "ROUND", "NORM", "NEXT ROUND OF")
    app.out.result(found, lambda: table(header, rows) if rows else "")


@command("use", result=PolicyUsed, examples=("flair policy use 1 --branch main",))
@click.argument("index", type=click.IntRange(min=0))
@repo_option
@branch_option
def use(app: App, index: int, *, repo: str | None, branch: str | None) -> None:
    """Makes a policy the rules of a branch's next round."""
    address = app.repo_address(repo)
    name = app.branch_name(branch, address)
    ctx = app.context(signer=True, network=address.network)
    done = policy_use(ctx, address, name, index)
    app.out.result(
        done, lambda: f"the next round of {name} follows policy {done.index}"
    )


for _verb in (create, show, list_, use, suggest):
    policy_command.add_command(_verb)
