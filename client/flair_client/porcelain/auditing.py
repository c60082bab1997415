"""What several verbs write into the audit log; used by verbs, no verb itself."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from flair_client.audit import AuditKind
from flair_client.chain.accounts import Scope
from flair_client.context import Context
from flair_client.errors import BudgetSpent, SiteRefused
from flair_client.ids import CommitId
from flair_client.porcelain.pushed import destinations
from flair_client.porcelain.transfer import Outgoing, Sent


@contextmanager
def refusals_written_down(ctx: Context, verb: str) -> Iterator[None]:
    """Writes what the site's rules or a spent budget refuse into the audit log."""
    try:
        yield
    except (SiteRefused, BudgetSpent) as exc:
        rule = exc.rule if isinstance(exc, SiteRefused) else "budget"
        ctx.write_audit(AuditKind.REFUSED, verb=verb, rule=rule, reason=str(exc))
        raise


def write_push(
    ctx: Context, repo: object, blocks: Iterable[Outgoing], **details: Any
) -> None:
    """Writes down what is about to leave.

    Raises:
        OSError: it could not be written; nothing may leave.
    """
    listed = [[one.what, str(one.cid), one.size] for one in blocks]
    ctx.write_audit(
        AuditKind.PUSH,
        repo=str(repo),
        hosts=[one.host for one in destinations(ctx)],
        blocks=listed,
        n_bytes=sum(size for _, _, size in listed),
        **details,
    )


def write_pushed(ctx: Context, commit_id: CommitId, sent: Sent) -> None:
    """Writes down what has left.

    Raises:
        OSError: it could not be written.
    """
    ctx.write_audit(
        AuditKind.PUSHED,
        commit=str(commit_id),
        n_blocks=sent.n_blocks,
        n_bytes=sent.n_bytes,
    )


def scope_words(scope: Scope) -> list[str]:
    """Gives the rights of a role as the command line writes them."""
    return [str(item.name).lower() for item in Scope if item in scope]
