"""A wallet's page."""

from flask import Blueprint, abort
from flask import request as asked

from flair_client.ids import Address
from flair_web.pages import look, render
from flair_web.wallets.page import wallet_page

WALLETS = Blueprint("wallets", __name__, template_folder="templates")


@WALLETS.get("/wallet/<address:wallet>")
def index(wallet: Address) -> str:
    """What a wallet did and may do; one that nobody heard of did nothing."""
    with look() as source:
        page = wallet_page(source, wallet, before_asked())
        return render("wallets/index.html", source, page=page)


def before_asked() -> tuple[int, Address] | None:
    """Gives where a page of updates begins, as the page before said."""
    text = asked.args.get("before")
    if text is None:
        return None
    moment, _, branch = text[:100].partition(" ")
    if not (moment.isascii() and moment.isdigit() and len(moment) <= 18):
        abort(400, "before is what the page before said")
    return int(moment), Address.parse(branch)
