"""Who may do what in a repository."""

from flask import Blueprint

from flair_client.ids import Address
from flair_web.pages import action, look, render, the_repo
from flair_web.people.page import people_page

PEOPLE = Blueprint("people", __name__, template_folder="templates")


@PEOPLE.get("/<address:creator>/<name:name>/people")
def index(creator: Address, name: str) -> str:
    """Roles, invites, requests and machine keys."""
    with look() as source:
        repo = the_repo(source, creator, name)
        actions = [
            *action("role_grant", "Grant a role", repo),
            *action("role_revoke", "Revoke a role", repo),
            *action("invite_create", "New invite", repo),
            *action("join_request", "Ask to join", repo),
            *action("authority_offer", "Offer the repository", repo),
        ]
        if any(repo.pending_authority.raw):
            actions += action("authority_accept", "Accept the repository", repo)
        return render(
            "people/index.html",
            source,
            repo=repo,
            page=people_page(source, repo),
            tab="people",
            actions=actions,
        )
