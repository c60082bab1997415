"""`flair attest`: makes a proposed merge again and signs that it came out the same."""

import click

from flair_client.cli.candidate import show_vote, verified
from flair_client.cli.command import command
from flair_client.cli.options import branch_option, repo_option
from flair_client.cli.session import App
from flair_client.porcelain.vote import Vote, attest


@command(
    "attest",
    result=Vote,
    examples=(
        "flair attest",
        "flair attest 3f9c2a1b --dry-run",
        "flair attest --repo flair://devnet/9xQe…VkjF/heart --wallet auditor --json",
    ),
)
@click.argument("candidate", metavar="[ID]", required=False)
@click.option(
    "-n", "--dry-run", is_flag=True, help="Only make it again; sign and send nothing."
)
@repo_option
@branch_option
def attest_command(
    app: App,
    candidate: str | None,
    *,
    dry_run: bool,
    repo: str | None,
    branch: str | None,
) -> None:
    """Makes a proposed merge again, then signs that it came out the same.

    ID is six or more digits of the candidate's id; not needed where there is only one.
    Chain and store are not trusted: the branch's history is verified, every update of
    the round is checked, and the merge is computed anew. Where a single byte differs
    nothing is signed (exit code 5). Needs the role attest, or the owner's wallet, and
    another wallet than the one that proposed the merge.
    """
    address = app.repo_address(repo)
    name = app.branch_name(branch, address)
    ctx = app.context(signer=True, network=address.network)
    vote = attest(
        ctx, address, name, candidate, dry_run=dry_run, verified=verified(app, repo)
    )
    show_vote(app, vote, ctx.now())
