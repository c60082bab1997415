"""Offers a repository to another wallet, or takes the offer back."""

from flair_client.porcelain.repo_offer import repo_offer
from flair_web.signing.action import REPO, Action, Field, Form, Planned
from flair_web.signing.planning import PlanningContext, instructions_of


def _plan(ctx: PlanningContext, form: Form) -> Planned:
    repo = form.repo(ctx)
    wallet = None if form.maybe("wallet") is None else form.address("wallet")
    made = instructions_of(lambda: repo_offer(ctx, repo, wallet))
    lapsing = repo_offer(ctx, repo, wallet, dry_run=True).lapsing
    if wallet is None:
        return Planned(made, ("The offer is taken back.",))
    return Planned(
        made,
        (
            f"{wallet} may take the repository from now on.",
            (
                f"When it does, {len(lapsing.roles)} roles, {len(lapsing.invites)} "
                f"invites and {len(lapsing.voted)} votes become void."
            ),
        ),
    )


ACTION = Action(
    name="authority_offer",
    title="Offer the repository",
    button="Offer repository",
    does="Lets another wallet take the repository over.",
    needs=("Your wallet owns the repository.",),
    refusals={
        "Refused": "Only the owner offers; sign in with the owner's wallet.",
        "UsageError": "Name another wallet than the owner's.",
    },
    end="Nothing changes hands until the other wallet accepts.",
    fields=(
        REPO,
        Field(
            "wallet", "To the wallet", hint="empty takes the offer back", optional=True
        ),
    ),
    plan=_plan,
)
