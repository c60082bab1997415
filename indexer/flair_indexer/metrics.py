"""What Prometheus may ask for; a registry of its own, so that several run beside."""

from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Gauge

if TYPE_CHECKING:
    from flair_indexer.drain import Drained
    from flair_indexer.run import Step


class Metrics:
    """Counters of one indexer."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.transactions = self._counter("transactions", "Transactions written")
        self.events = self._counter("events", "Events written")
        self.missing = self._counter(
            "missing_transactions", "Listed transactions that the node did not give"
        )
        self.dropped = self._counter(
            "dropped_transactions", "Transactions whose slot was dropped"
        )
        self.letters = Counter(
            "flair_indexer_dead_letters",
            "Calls and transactions put aside",
            ["reason"],
            registry=self.registry,
        )
        self.failures = Counter(
            "flair_indexer_failures",
            "Looks that failed",
            ["error"],
            registry=self.registry,
        )
        self.listed_slot = self._gauge("listed_slot", "Newest listed slot")
        self.final_slot = self._gauge("final_slot", "Newest finalized slot")
        self.repos = Gauge(
            "flair_indexer_repositories",
            "Repositories by what the last comparison with their account said",
            ["state"],
            registry=self.registry,
        )

    def _counter(self, name: str, text: str) -> Counter:
        return Counter(f"flair_indexer_{name}", text, registry=self.registry)

    def _gauge(self, name: str, text: str) -> Gauge:
        return Gauge(f"flair_indexer_{name}", text, registry=self.registry)

    def total(self, name: str) -> int:
        """Gives a counter, as `transactions` or `events`."""
        value = self.registry.get_sample_value(f"flair_indexer_{name}_total")
        return int(value or 0)

    def note_drained(self, drained: "Drained") -> None:
        """Counts a unit of work."""
        self.transactions.inc(drained.n_transactions)
        self.events.inc(drained.n_events)
        self.missing.inc(drained.n_missing)
        for letter in drained.letters:
            self.letters.labels(letter.reason).inc()

    def note(self, step: "Step") -> None:
        """Notes a look."""
        self.listed_slot.set(step.listing.newest_slot or step.listing.final_slot)
        self.final_slot.set(step.listing.final_slot)
        self.dropped.inc(step.audit.n_dropped + step.listing.n_moved)
        if step.reconciled is not None:
            self.repos.labels("same").set(step.reconciled.n_same)
            self.repos.labels("behind").set(len(step.reconciled.behind))
            self.repos.labels("different").set(len(step.reconciled.different))
