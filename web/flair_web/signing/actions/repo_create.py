"""Makes a repository."""

from flair_client.porcelain.repo import repo_create
from flair_web.signing.action import Action, Field, Form, Planned
from flair_web.signing.planning import PlanningContext, instructions_of


def _plan(ctx: PlanningContext, form: Form) -> Planned:
    name = form.text("name")
    points = form.whole("points_per_merge", 1)
    return Planned(
        instructions_of(lambda: repo_create(ctx, name, points_per_merge=points)),
        (f"The repository {name} is made. It belongs to your wallet.",),
    )


ACTION = Action(
    name="repo_create",
    title="Create a repository",
    button="Create repository",
    does="Makes a repository that belongs to your wallet, without branches yet.",
    needs=(
        "Your wallet has no repository of this name yet.",
        "A name is 1 to 64 of a-z 0-9 . _ - and begins with a letter or digit.",
    ),
    refusals={"Refused": "Choose another name."},
    end="The repository exists; a policy and a branch come next.",
    fields=(
        Field("name", "Name"),
        Field("points_per_merge", "Points per merge", "number", default="1000000"),
    ),
    plan=_plan,
)
