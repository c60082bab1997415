"""`flair trust`: shows and accepts what a repository runs and asks for."""

import click

from flair_client.cli.command import command
from flair_client.cli.output import fields
from flair_client.cli.session import App
from flair_client.cli.text import printable
from flair_client.porcelain.trust import TrustShown, trust


@command(
    "trust",
    result=TrustShown,
    examples=("flair trust", "flair trust --accept", "flair trust --json"),
)
@click.option("--accept", is_flag=True, help="Accept what is shown.")
def trust_command(app: App, *, accept: bool) -> None:
    """Shows and accepts what a repository runs and asks for.

    Shows recipe, policy and owner, and the recipe's code with the libraries that it
    imports; where they were accepted before, what changed since, with what protects you
    less marked. Nothing is installed. Training, committing and pushing go on only
    with what you accepted. In a terminal you are asked; elsewhere `--accept` accepts.
    """
    workspace = app.workspace()
    ctx = app.context(network=workspace.repo().network)
    shown = trust(ctx, workspace, accept=accept)
    if not accept and not shown.accepted and app.is_interactive:
        app.out.note(trust_text(shown, color=app.out.color))
        if click.confirm("Do you trust this?", err=True):
            shown = trust(ctx, workspace, accept=True, expected=shown)
            app.out.result(shown, "accepted")
            return
        app.out.result(shown, exit_code=1, message="not accepted")
        return
    app.out.result(shown, lambda: trust_text(shown, color=app.out.color))
    if not shown.accepted:
        app.out.note("not accepted yet; accept it with `flair trust --accept`")


def trust_text(shown: TrustShown, *, color: bool = False) -> str:
    """Shows what is asked to be trusted; what protects less is red."""
    lines = [
        fields(
            (
                ("owner", shown.authority),
                ("recipe", shown.recipe),
                ("policy", shown.policy),
            )
        )
    ]
    if shown.recipe_diff:
        lines += ["", *map(printable, shown.recipe_diff)]
    lines += _requirements(shown)
    if shown.changes:
        lines.append("")
    for change in shown.changes:
        old = "" if change.old is None else f"{change.old} -> "
        text = printable(f"{change.field}: {old}{change.new}")
        if change.weaker:
            text += "  (protects you less)"
            text = click.style(text, fg="red") if color else text
        lines.append(text)
    if not shown.first and not shown.changes and not shown.recipe_diff:
        lines += ["", "nothing changed since it was accepted"]
    return "\n".join(lines)


def _requirements(shown: TrustShown) -> list[str]:
    if not shown.requirements:
        return []
    lines = ["", "its code imports:"]
    for one in shown.requirements:
        here = "not installed"
        if one.installed is not None:
            here = "installed" if one.is_met else f"{one.installed} is installed"
        lines.append(f"  {printable(one.text)}  ({printable(here)})")
    if shown.pip is not None:
        lines.append(f"nothing is installed by itself: {printable(shown.pip)}")
    return lines
