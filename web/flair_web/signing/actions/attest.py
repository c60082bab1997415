"""Attests a proposed merge, once it came out the same here."""

from flair_client.porcelain.vote import attest
from flair_web.signing.action import (
    BRANCH,
    COMMIT,
    REPO,
    ROUND,
    Action,
    Form,
    Planned,
)
from flair_web.signing.planning import PlanningContext, instructions_of


def _plan(ctx: PlanningContext, form: Form) -> Planned:
    repo, branch, commit = form.repo(ctx), form.text("branch"), form.commit()
    made = instructions_of(lambda: attest(ctx, repo, branch, str(commit)))
    return Planned(
        made,
        (
            f"You attest the merge {commit.short} of round {form.text('round')}.",
            (
                "This site made it again and got the same. To rely on nobody, run "
                "`flair candidate attest` on a machine of your own."
            ),
        ),
        {"attestation": "when the round is over"},
    )


ACTION = Action(
    name="attest",
    title="Attest a merge",
    button="Attest",
    does="Vouches for a proposed merge.",
    needs=(
        "Your wallet owns the repository or holds the role 'attest'.",
        "Your wallet did not propose the merge.",
        "The round is closed and all its updates are added up.",
    ),
    refusals={
        "Refused": "Another wallet than the proposer's, with the role 'attest'.",
        "RefUnknown": "The merge is no candidate any more: look at the round again.",
        "CandidateInvalid": "Do not attest it: it does not come out the same.",
        "AttestsOwn": "Another wallet has to attest it.",
    },
    end="The attestation is on chain and counts towards what the policy asks for.",
    fields=(REPO, BRANCH, ROUND, COMMIT),
    plan=_plan,
    slow=True,
)
