"""Makes a branch."""

from flair_client.porcelain.branch import branch_create
from flair_client.porcelain.target import find_repo
from flair_web.signing.action import REPO, Action, Field, Form, Planned
from flair_web.signing.planning import PlanningContext, instructions_of


def _plan(ctx: PlanningContext, form: Form) -> Planned:
    repo, name = form.repo(ctx), form.text("name")
    policy, protected = form.whole("policy", 0, 2**32 - 1), form.flag("protected")
    first = form.whole("first_round", 0, 1)
    # The program names no account when it finds none; the client does.
    find_repo(ctx, repo).policy(policy)
    lines = [f"Branch {name} is made with policy {policy}; it has no commit yet."]
    if protected:
        lines.append("It is protected: only the owner moves it by hand.")
    return Planned(
        instructions_of(
            lambda: branch_create(
                *(ctx, repo, name),
                policy_index=policy,
                protected=protected,
                first_round=first,
            )
        ),
        tuple(lines),
    )


_YES_NO = (("no", "no"), ("yes", "yes"))

ACTION = Action(
    name="branch_create",
    title="Create a branch",
    button="Create branch",
    does="Makes a branch; its rounds follow a policy of the repository.",
    needs=(
        "Your wallet owns the repository or holds the role 'administer'.",
        "The repository has the policy.",
    ),
    refusals={
        "AccountMissing": "Create a policy first.",
        "RoleMissing": "Ask the owner for the role 'administer'.",
        "AccountAlreadyInUse": "There is a branch of this name.",
    },
    end="The branch exists; its first commit is pushed with `flair repo publish`.",
    fields=(
        REPO,
        Field("name", "Name", default="main"),
        Field("policy", "Policy", "number", default="0", hint="its number"),
        Field("protected", "Protected", "choice", _YES_NO, "no"),
        Field(
            "first_round",
            "First round",
            "choice",
            (("1", "1: training"), ("0", "0: statistics before training")),
            "1",
        ),
    ),
    plan=_plan,
)
