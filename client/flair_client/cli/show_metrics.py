"""What a commit did to metrics as people read it; no command itself."""

from flair_client.cli.output import table
from flair_client.cli.text import printable
from flair_client.porcelain.show_metrics import ShownWithMetrics
from flair_client.site_metrics import MetricEffect

_MAX_ROWS = 16
_NAME, _SOURCE = 16, 20


def metrics_text(found: ShownWithMetrics) -> str:
    """Shows effects on metrics, then what sites state; nothing where there is none."""
    return "\n\n".join(
        part for part in (_effects_text(found), _sites_text(found)) if part
    )


def _effects_text(found: ShownWithMetrics) -> str:
    if not found.effects:
        return ""
    rows = [
        (
            printable(one.name, _NAME),
            printable(one.source, _SOURCE),
            "-" if one.before is None else f"{one.before:.6g}",
            f"{one.after:.6g}",
            _change_text(one),
        )
        for one in found.effects[:_MAX_ROWS]
    ]
    names = ("metric", "of", "before", "after", "")
    return f"effect\n{table(names, rows)}{_more(len(found.effects))}"


def _change_text(one: MetricEffect) -> str:
    if one.before is None or one.after == one.before:
        return ""
    is_better = (one.after < one.before) == one.lower_is_better
    return f"{one.after - one.before:+.4g} {'better' if is_better else 'worse'}"


def _sites_text(found: ShownWithMetrics) -> str:
    if not found.sites:
        return ""
    rows = [
        (
            printable(one.name, _NAME),
            one.n_sites,
            one.n_samples,
            f"{one.mean:.6g}",
            f"{one.worst:.6g}",
            str(one.worst_site)[:8],
            f"{one.spread:.4g}",
        )
        for one in found.sites[:_MAX_ROWS]
    ]
    names = ("metric", "sites", "samples", "mean", "worst", "at", "spread")
    head = "as the sites state of their own rows"
    return f"{head}\n{table(names, rows)}{_more(len(found.sites))}"


def _more(n: int) -> str:
    return "" if n <= _MAX_ROWS else f"\nand {n - _MAX_ROWS} more: see --json"
