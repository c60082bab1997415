"""Policies of a repository, and one of them."""

from flask import Blueprint, abort

from flair_client.ids import Address
from flair_indexer import queries
from flair_web.pages import action, look, render, the_repo
from flair_web.policy.page import policies_page, shown_policy

POLICY = Blueprint("policy", __name__, template_folder="templates")


@POLICY.get("/<address:creator>/<name:name>/policies")
def index(creator: Address, name: str) -> str:
    """Policies of a repository."""
    with look() as source:
        repo = the_repo(source, creator, name)
        return render(
            "policy/index.html",
            source,
            repo=repo,
            page=policies_page(source, repo),
            tab="policies",
            actions=action("policy_create", "New policy", repo),
        )


@POLICY.get("/<address:creator>/<name:name>/policy/<number:policy_index>")
def one(creator: Address, name: str, policy_index: int) -> str:
    """A policy."""
    with look() as source:
        repo = the_repo(source, creator, name)
        found = queries.policy(source, repo.repo, policy_index)
        if found is None:
            abort(404, "this repository has no policy of this number")
        branches = tuple(queries.branches(source, repo.repo))
        shown = shown_policy(found, branches)
        return render("policy/one.html", source, repo=repo, page=shown, tab="policies")
