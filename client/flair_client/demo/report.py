"""The demo's report: a figure (PNG) and a page (HTML) that carries it."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from flair_client.demo.datasets import Dataset
from flair_client.demo.reference import Score
from flair_client.page.html import Html, code, escaped, page, table


@dataclass(frozen=True, slots=True)
class Outcome:
    """Everything that the report shows.

    Attributes:
        local: hospital → model trained on its rows alone.
        federated: the shared model after each training round.
        pooled: the model of all rows in one place, which nobody may build.
        without: the shared model after one hospital's contribution was reverted.
        reverted: that hospital.
        repo: the repository's address, `flair://…`.
        head: commit id of the head at the end.
        verified: sentences of `flair verify`, one per commit.
        compute_units: instruction → (calls, most compute units of one transaction).
        fee_lamports: paid for all transactions.
        rent_lamports: locked in accounts that still exist at the end.
        bytes_moved: to and from the shared store, by hospitals and aggregator.
        round_seconds: of each round, that of statistics first: from the first pull to
            the merge in the owner's hands.
        seconds: from the start of the demo.
    """

    dataset: Dataset
    local: Mapping[str, Score]
    federated: Sequence[Score]
    pooled: Score
    without: Score
    reverted: str
    repo: str
    head: str
    verified: Sequence[str]
    compute_units: Mapping[str, tuple[int, int]]
    fee_lamports: int
    rent_lamports: int
    bytes_moved: int
    round_seconds: Sequence[float]
    seconds: float


def draw_figure(outcome: Outcome) -> bytes:
    """Four panels: AUC by round, log-loss by round, AUC by model, rows by hospital."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 7), layout="constrained")
    auc, loss, models, rows = figure.subplots(2, 2).flat
    rounds = range(1, len(outcome.federated) + 1)
    auc.plot(rounds, [s.auc for s in outcome.federated], "o-", label="federated")
    loss.plot(rounds, [s.log_loss for s in outcome.federated], "o-", label="federated")
    for panel, name in ((auc, "auc"), (loss, "log_loss")):
        panel.axhline(
            getattr(outcome.pooled, name), ls="--", color="black", label="pooled"
        )
        for index, (hospital, local) in enumerate(outcome.local.items()):
            panel.axhline(
                getattr(local, name),
                ls=":",
                color=f"C{index + 1}",
                label=f"{hospital} alone",
            )
        panel.set(xlabel="round", xticks=list(rounds))
    auc.set(title="AUC on the pooled test rows", ylabel="AUC")
    loss.set(title="Log-loss on the pooled test rows", ylabel="nats per row")
    auc.legend(fontsize=8)
    bars = {f"{name}\nalone": local.auc for name, local in outcome.local.items()}
    bars |= {
        "federated": outcome.federated[-1].auc,
        f"without\n{outcome.reverted}": outcome.without.auc,
        "pooled": outcome.pooled.auc,
    }
    shown = models.bar(list(bars), list(bars.values()), color="C0")
    models.bar_label(shown, fmt="%.3f", fontsize=8)
    models.set(title="AUC by model", ylim=(min([0.5, *bars.values()]) - 0.05, 1.05))
    models.tick_params(axis="x", labelsize=8)
    names = [hospital.name for hospital in outcome.dataset.hospitals]
    ill = [int(h.train[:, -1].sum()) for h in outcome.dataset.hospitals]
    total = [h.train.shape[0] for h in outcome.dataset.hospitals]
    healthy = [n - k for n, k in zip(total, ill, strict=True)]
    rows.bar(names, ill, label=outcome.dataset.target)
    rows.bar(names, healthy, bottom=ill, label=f"not {outcome.dataset.target}")
    rows.set(title="Training rows, which never moved", ylabel="rows")
    rows.legend(fontsize=8)
    out = BytesIO()
    figure.savefig(out, format="png", dpi=130, metadata={"Software": None})
    return out.getvalue()


def write_report(outcome: Outcome, folder: Path) -> tuple[Path, Path]:
    """Writes `report.html` and `report.png` into `folder`; gives back both paths."""
    picture = draw_figure(outcome)
    folder.mkdir(parents=True, exist_ok=True)
    page, figure = folder / "report.html", folder / "report.png"
    figure.write_bytes(picture)
    page.write_text(_page(outcome, picture), encoding="utf-8")
    return page, figure


def score_rows(outcome: Outcome) -> list[tuple[str, Score]]:
    """The comparison, a row a model, in the order in which people read it."""
    return [
        *((f"{name} alone", local) for name, local in outcome.local.items()),
        *(
            (f"federated, round {index}", shared)
            for index, shared in enumerate(outcome.federated, 1)
        ),
        (f"federated without {outcome.reverted}'s last update", outcome.without),
        ("pooled: all rows in one place", outcome.pooled),
    ]


def _page(outcome: Outcome, picture: bytes) -> str:
    data = outcome.dataset
    scores = [
        (name, f"{s.auc:.3f}", f"{s.accuracy:.3f}", f"{s.log_loss:.3f}")
        for name, s in score_rows(outcome)
    ]
    costs = [
        (name, str(calls), f"{most:,}")
        for name, (calls, most) in sorted(outcome.compute_units.items())
    ]
    encoded = base64.b64encode(picture).decode("ascii")
    verified = "".join(f"<li>{escaped(line)}</li>" for line in outcome.verified)
    body = f"""<h1>Four hospitals, one model</h1>
<p>{escaped(data.title)}. {escaped(data.source)}.</p>
<p class="note">Mode public: every single update is readable by everyone. This data is
public; private data needs noise or masking.</p>
<p>Repository {code(outcome.repo)}<br>
Head {code(outcome.head)}</p>
<h2>Did sharing help?</h2>
{_table("Scores", ("Model", "AUC", "Accuracy", "Log-loss"), scores)}
<p class="wide"><img alt="AUC and log-loss by round, AUC by model, rows by hospital"
src="data:image/png;base64,{encoded}"></p>
<h2>What it cost</h2>
<p>{outcome.bytes_moved:,} bytes moved, {outcome.fee_lamports:,} lamports of fees,
{outcome.rent_lamports:,} lamports of rent locked, {outcome.seconds:.1f} seconds.</p>
{_table("Costs", ("Instruction", "Transactions", "Most compute units"), costs)}
<h2>What was verified</h2>
<ol>{verified}</ol>
<p>The revert of one hospital's contribution takes its term out of the sum. It is not
unlearning: later updates were trained on a model that contained it.</p>"""
    return page(f"Flair: {data.title}", Html(body))


def _table(caption: str, heads: Sequence[str], rows: Sequence[Sequence[str]]) -> Html:
    return table(caption, heads, ([escaped(cell) for cell in row] for row in rows))
