"""Takes a repository that was offered."""

from flair_client.porcelain.repo_offer import repo_accept
from flair_web.signing.action import REPO, Action, Form, Planned
from flair_web.signing.planning import PlanningContext, instructions_of


def _plan(ctx: PlanningContext, form: Form) -> Planned:
    repo = form.repo(ctx)
    made = instructions_of(lambda: repo_accept(ctx, repo))
    lapsing = repo_accept(ctx, repo, dry_run=True).lapsing
    return Planned(
        made,
        (
            "Your wallet owns the repository from then on.",
            (
                f"{len(lapsing.roles)} roles, {len(lapsing.invites)} invites and "
                f"{len(lapsing.voted)} votes that the old owner allowed become void."
            ),
        ),
    )


ACTION = Action(
    name="authority_accept",
    title="Accept the repository",
    button="Accept repository",
    does="Takes a repository that its owner offered to your wallet.",
    needs=("The repository is offered to your wallet.",),
    refusals={"Refused": "Ask the owner to offer it to this wallet."},
    end="Your wallet is the owner; what the old owner granted is void.",
    fields=(REPO,),
    plan=_plan,
)
