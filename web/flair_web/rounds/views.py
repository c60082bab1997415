"""Rounds of a branch, and one of them."""

from flask import Blueprint, abort
from flask import request as asked

from flair_client.ids import Address
from flair_web.commit.views import drawn_bar
from flair_web.pages import (
    Link,
    action,
    look,
    number_asked,
    render,
    the_branch,
    the_repo,
)
from flair_web.rounds.page import RoundPage, round_page, rounds_page
from flair_web.site import site

ROUNDS = Blueprint("rounds", __name__, template_folder="templates")


@ROUNDS.get("/<address:creator>/<name:name>/rounds")
def index(creator: Address, name: str) -> str:
    """Rounds of a branch."""
    with look() as source:
        repo = the_repo(source, creator, name)
        chosen = asked.args.get("branch")
        page = rounds_page(source, repo, chosen, number_asked("before"))
        if page is None:
            abort(404, "this repository has no branch of this name")
        return render(
            "rounds/index.html",
            source,
            repo=repo,
            branches=page.branches,
            page=page,
            tab="rounds",
        )


@ROUNDS.get("/<address:creator>/<name:name>/round/<name:branch>/<number:round_index>")
def one(creator: Address, name: str, branch: str, round_index: int) -> str:
    """A round."""
    with look() as source:
        repo = the_repo(source, creator, name)
        line = the_branch(source, repo, branch)
        now = site().now()
        page = round_page(source, site().store, repo, line, round_index, now=now)
        if page is None:
            abort(404, "this branch never had such a round")
        return render(
            "rounds/one.html",
            source,
            repo=repo,
            branches=(line,),
            page=page,
            bar=drawn_bar,
            tab="rounds",
            actions=_actions(page),
        )


def _actions(page: RoundPage) -> list[Link]:
    where: dict[str, object] = {
        "branch": page.branch.name,
        "round": page.round.round_index,
    }
    repo, state = page.repo, page.round.state
    if state == "open":
        return [
            *action("round_close", "Close the round", repo, **where),
            *action("round_abort", "Abort the round", repo, **where),
            *action("update_withdraw", "Withdraw my update", repo, **where),
        ]
    if state == "closed":
        found = []
        for one in page.candidates:
            short = one.commit_id.short
            for name, label in (
                ("approve", f"Approve {short}"),
                ("attest", f"Attest {short}"),
                ("round_finalize", f"Finish with {short}"),
            ):
                found += action(name, label, repo, **where, commit=one.commit_id)
        return [*found, *action("round_abort", "Abort the round", repo, **where)]
    settled: list[Link] = []
    for row in page.updates:
        if row.update.state in ("accepted", "rejected"):
            who = row.update.contributor
            label = f"Settle {str(who)[:4]}…"
            settled += action("update_settle", label, repo, **where, contributor=who)
    return settled
