"""The first page, and searching."""

from flask import Blueprint, render_template

HOME = Blueprint("home", __name__, template_folder="templates")


@HOME.get("/")
def index() -> str:
    """The first page."""
    return render_template("home/index.html")
