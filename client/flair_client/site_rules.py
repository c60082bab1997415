"""What a contributor's own IT allows: the rules of `/etc/flair/site.toml`.

They stand in its table `[limits]` and win over every other setting. Each can only
forbid; a rule that is not there forbids nothing. Here are values and checks alone.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from flair_client.config_file import Value, read_config
from flair_client.errors import IdentifierInvalid, SiteRefused, UsageError
from flair_client.ids import Address, Digest

SITE_FILE: Final = Path("/etc/flair/site.toml")
MODES: Final = ("public", "secagg", "encrypted")


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteRules:
    """The rules of a site; None where there is no such rule.

    Attributes:
        modes: privacy modes that updates may leave in.
        hosts: `host`, `host:port`, or `file:///folder`, that may be talked to.
        max_epsilon: privacy loss that one data source may have over all repositories;
            with it, updates without noise do not leave at all.
        max_delta: largest delta that an update may state.
        min_rows: fewer rows are neither trained on nor committed.
        metrics: names of metrics that may leave.
        recipes: digests of recipes that may run, in hex.
        second_approver: wallets of which one must approve each push of another wallet.
        no_sandbox: whether recipes may run without a sandbox.
    """

    modes: tuple[str, ...] | None = None
    hosts: tuple[str, ...] | None = None
    max_epsilon: float | None = None
    max_delta: float | None = None
    min_rows: int = 0
    metrics: tuple[str, ...] | None = None
    recipes: tuple[str, ...] | None = None
    second_approver: tuple[Address, ...] = ()
    no_sandbox: bool = True

    def check_train(self, *, mode: int, recipe: Digest) -> None:
        """Refuses to run a recipe, before any data is read.

        Raises:
            SiteRefused: names the rule.
        """
        self.check_mode(mode)
        self.check_recipe(recipe)

    def check_commit(
        self, *, mode: int, recipe: Digest, num_samples: int, has_noise: bool
    ) -> None:
        """Refuses to sign an update.

        Raises:
            SiteRefused: names the rule.
        """
        self.check_train(mode=mode, recipe=recipe)
        self.check_rows(num_samples)
        if self.max_epsilon is not None and not has_noise:
            raise SiteRefused(
                "limits.max_epsilon", "this site lets no update leave without noise"
            )

    def check_mode(self, mode: int) -> None:
        """Refuses a policy's mode.

        Raises:
            SiteRefused: it is not on the list.
        """
        name = MODES[mode] if 0 <= mode < len(MODES) else f"mode {mode}"
        if self.modes is not None and name not in self.modes:
            raise SiteRefused(
                "limits.modes", f"this site lets nothing leave in mode {name!r}"
            )

    def check_recipe(self, recipe: Digest) -> None:
        """Refuses a recipe.

        Raises:
            SiteRefused: it is not on the list.
        """
        if self.recipes is not None and str(recipe) not in self.recipes:
            raise SiteRefused("limits.recipes", f"this site allows no recipe {recipe}")

    def check_sandbox(self, *, sandboxed: bool) -> None:
        """Refuses to run a recipe's code as if it were the user's own.

        Raises:
            SiteRefused: it would run without a sandbox.
        """
        if not sandboxed and not self.no_sandbox:
            raise SiteRefused(
                "limits.no_sandbox", "this site runs no recipe without a sandbox"
            )

    def check_rows(self, num_samples: int) -> None:
        """Refuses too few rows.

        Raises:
            SiteRefused: fewer than the rule says.
        """
        if num_samples < self.min_rows:
            raise SiteRefused(
                "limits.min_rows",
                f"{num_samples} rows, this site asks for at least {self.min_rows}",
            )

    def check_metrics(self, names: Iterable[str]) -> None:
        """Refuses metrics that may not leave.

        Raises:
            SiteRefused: names the first one.
        """
        for name in sorted(names):
            if not self.allows_metric(name):
                raise SiteRefused(
                    "limits.metrics", f"this site lets no metric {name!r} leave"
                )

    def allows_metric(self, name: str) -> bool:
        """Whether a metric of this name may leave."""
        return self.metrics is None or name in self.metrics

    def check_delta(self, delta: float) -> None:
        """Refuses a privacy loss that is too likely to be larger.

        Raises:
            SiteRefused: delta is above the rule's.
        """
        if self.max_delta is not None and delta > self.max_delta:
            raise SiteRefused(
                "limits.max_delta",
                f"delta {delta:g} is above this site's {self.max_delta:g}",
            )

    def check_url(self, url: str) -> None:
        """Refuses a host, or a folder, that is not listed.

        Raises:
            SiteRefused: names it.
        """
        if self.hosts is None or any(_is_at(url, allowed) for allowed in self.hosts):
            return
        parts = urlsplit(url)
        shown = url if parts.scheme == "file" else parts.netloc.rpartition("@")[2]
        raise SiteRefused("limits.hosts", f"this site does not talk to {shown}")

    def allowed_urls(self, urls: Iterable[str]) -> tuple[str, ...]:
        """Gives those of some URLs that may be talked to."""
        if self.hosts is None:
            return tuple(urls)
        return tuple(
            url for url in urls if any(_is_at(url, allowed) for allowed in self.hosts)
        )


NO_RULES: Final = SiteRules()


def _is_at(url: str, allowed: str) -> bool:
    parts = urlsplit(url)
    if parts.scheme == "file":
        folder = urlsplit(allowed)
        if folder.scheme != "file" or folder.netloc != parts.netloc:
            return False
        path = Path(parts.path)
        return ".." not in path.parts and path.is_relative_to(folder.path)
    host = (parts.hostname or "").lower()
    return allowed.lower() in {host, f"{host}:{parts.port}"}


def site_rules_from(values: Mapping[str, Value]) -> SiteRules:
    """Reads the rules out of settings by dotted name.

    Raises:
        UsageError: a digest, an address or a mode is malformed.
    """
    modes = _texts(values, "limits.modes")
    for mode in modes or ():
        if mode not in MODES:
            raise UsageError(
                f"limits.modes: {mode!r} is not a mode: {', '.join(MODES)}"
            )
    recipes = _texts(values, "limits.recipes")
    approvers = _texts(values, "limits.second_approver")
    if approvers == ():
        raise UsageError("limits.second_approver names nobody who could approve")
    try:
        digests = recipes and tuple(str(Digest.parse(text)) for text in recipes)
        wallets = tuple(Address.parse(text) for text in approvers or ())
    except IdentifierInvalid as exc:
        raise UsageError(f"limits: {exc}") from exc
    return SiteRules(
        modes=modes,
        hosts=_texts(values, "limits.hosts"),
        max_epsilon=_number(values, "limits.max_epsilon"),
        max_delta=_number(values, "limits.max_delta"),
        min_rows=int(_number(values, "limits.min_rows") or 0),
        metrics=_texts(values, "limits.metrics"),
        recipes=digests,
        second_approver=wallets,
        no_sandbox=values.get("limits.no_sandbox") is not False,
    )


def load_site_rules(path: Path | None = None) -> SiteRules:
    """Reads a site's rules from its file; where there is none nothing is forbidden.

    Neither the environment nor a flag says where the file is.

    Raises:
        UsageError: it is malformed; names it.
        OSError: it is there and cannot be read.
    """
    chosen = SITE_FILE if path is None else path
    try:
        return site_rules_from(read_config(chosen))
    except UsageError as exc:
        if str(chosen) in str(exc):
            raise
        raise UsageError(f"{chosen}: {exc}") from exc


def _texts(values: Mapping[str, Value], name: str) -> tuple[str, ...] | None:
    value = values.get(name)
    return value if isinstance(value, tuple) else None


def _number(values: Mapping[str, Value], name: str) -> float | None:
    value = values.get(name)
    return float(value) if isinstance(value, int | float) else None
