"""Refusals go into the audit log too; used by verbs, no verb itself."""

from collections.abc import Iterator
from contextlib import contextmanager

from flair_client.audit import AuditKind
from flair_client.context import Context
from flair_client.errors import BudgetSpent, SiteRefused


@contextmanager
def refusals_written_down(ctx: Context, verb: str) -> Iterator[None]:
    """Writes what the site's rules or a spent budget refuse into the audit log."""
    try:
        yield
    except (SiteRefused, BudgetSpent) as exc:
        rule = exc.rule if isinstance(exc, SiteRefused) else "budget"
        ctx.write_audit(AuditKind.REFUSED, verb=verb, rule=rule, reason=str(exc))
        raise
