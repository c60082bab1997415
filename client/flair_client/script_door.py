"""The door around a program of one's own: `with flair_client.training() as t:`.

It does what `flair train` does, but that the program itself trains: it gives the base
of the round, and keeps the new weights for `flair commit`. Nothing here runs code of
the repository's, and nothing is sent.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from flair_client.audit import AuditKind
from flair_client.context import Context
from flair_client.data_sources import ledger_name
from flair_client.errors import UsageError
from flair_client.ids import CommitId
from flair_client.opening import open_context
from flair_client.porcelain.auditing import refusals_written_down
from flair_client.porcelain.base_file import base_file, scratch_folder, without_bf16
from flair_client.porcelain.commit import allowed_metrics
from flair_client.porcelain.local_tensors import check_published, keep_local
from flair_client.porcelain.new_update import write_update
from flair_client.porcelain.own_variate import correction_file
from flair_client.porcelain.recipe_run import forget_run
from flair_client.porcelain.trained import (
    Given,
    Trained,
    check_epochs,
    given_now,
    keep_marker,
    summary,
)
from flair_client.porcelain.update_delta import is_sent
from flair_client.progress import NO_PROGRESS, Progress
from flair_client.settings import Flags, load_settings
from flair_client.training.correction import UNUSED, Correction, correction_from
from flair_client.training.doors import TrainContext, is_finite_number
from flair_client.training.framework import TORCH, choose_device, load_values
from flair_client.training.noisy_steps import NoisySteps
from flair_client.weights import digest_of_file
from flair_client.weights.foreign import fit, save_foreign, ties_of
from flair_client.weights.live_objects import weights_of
from flair_client.weights.opening import header_at
from flair_client.workspace import Workspace, find_workspace


class Training:
    """One round's training by a program of one's own.

    Attributes:
        commit: the base of the round.
        context: everything of the recipe's that a recipe's own code would be handed:
            seed, device, epochs, batch size, FedProx's term and the rest.
        result: what `finish` kept; None before.
    """

    def __init__(
        self, ctx: Context, workspace: Workspace, given: Given, context: TrainContext
    ) -> None:
        self._ctx = ctx
        self._workspace = workspace
        self._given = given
        self._base = scratch_folder(workspace) / "base.safetensors"
        self.commit: CommitId = given.terms.base
        self.context = context
        self.result: Trained | None = None
        self.source: str | None = None

    @property
    def seed(self) -> int:
        """Of everything random."""
        return self.context.seed

    @property
    def device(self) -> str:
        """`cpu`, `cuda` or `mps`."""
        return self.context.device

    @property
    def epochs(self) -> int:
        """Passes over the data that the recipe asks for and the policy allows."""
        return self.context.epochs

    @property
    def round_index(self) -> int:
        """The round that the update is for; 0 collects statistics."""
        return self.context.round_index

    @property
    def is_statistics(self) -> bool:
        """Whether the round collects statistics, and only averaged tensors are sent."""
        return self.context.is_statistics

    @property
    def base(self) -> Mapping[str, Any]:
        """The weights of the base, to compare with; they are not to be changed."""
        return self.context.base

    def weights(self) -> dict[str, Any]:
        """The weights of the base, to begin with, anew with each call.

        Tensors of PyTorch where the recipe says so, else arrays (BF16 as float32). The
        tensors that stay with a contributor are those of its own last round.
        """
        return _load(self._base, self._given)

    def finish(
        self,
        model: Any,
        *,
        num_samples: int,
        metrics: Mapping[str, float] | None = None,
        epochs: int | None = None,
        noisy_steps: NoisySteps | None = None,
    ) -> Trained:
        """Keeps new weights for `flair commit`.

        Args:
            model: a PyTorch module, a state dict, arrays by name, or a linear model of
                scikit-learn: every tensor of the base.
            num_samples: rows that stand behind it; only a bucket leaves.
            metrics: name → number; only names that the recipe lists may leave.
            epochs: passes over the data that were made; without it the recipe's.
            noisy_steps: where every trained tensor was made by steps with noise alone,
                what these were; `privacy.dp_sgd.DpSgd` tells them.

        Raises:
            TensorMismatch: other tensors than the base; names the first.
            NotFinite: NaN or infinity; names the tensor.
            ObjectInvalid: a frozen tensor was changed.
            UsageError: it holds no weights, the number of samples cannot be, or the
                policy's strategy is SCAFFOLD and no gradient was corrected.
            Refused: more epochs than the policy allows.
            SiteRefused: the site asks for more rows.
        """
        if type(num_samples) is not int or num_samples < 1:
            raise UsageError(f"{num_samples!r} samples cannot have been trained on")
        correction = self.context.correction
        if correction is not None and not correction.is_used:
            raise UsageError(UNUSED)
        made = self.epochs if epochs is None else epochs
        check_epochs(self._given, made)
        self._ctx.site.check_rows(num_samples)
        finite = {
            n: float(v) for n, v in (metrics or {}).items() if is_finite_number(v)
        }
        stated = None if self.is_statistics else noisy_steps
        self._write_audit(num_samples)
        length = self._write(model, has_noise=stated is not None)
        keep_marker(
            self._workspace,
            self._given,
            digest_of_file(self._workspace.update_path),
            num_samples=num_samples,
            epochs=made,
            seed=self.seed,
            metrics=finite,
            source=self.source,
            noisy_steps=stated,
        )
        listed = allowed_metrics(self._given.recipe, finite)
        self.result = replace(
            summary(
                self._ctx,
                self._workspace,
                self._given,
                num_samples=num_samples,
                epochs=made,
                seed=self.seed,
                metrics=finite,
                length=length,
            ),
            metrics_kept=tuple(sorted((metrics or {}).keys() - listed.keys())),
            noisy_steps=stated,
        )
        return self.result

    def _write(self, model: Any, *, has_noise: bool) -> float:
        header = header_at(self._base)
        path = scratch_folder(self._workspace) / "made.safetensors"
        save_foreign(path, fit(weights_of(model), header.spans, ties_of(header)))
        bound = self._given.terms.norm_bound
        update = write_update(
            self._base,
            path,
            self._given.roles,
            self._workspace.update_path,
            norm_bound=bound,
            is_sent=lambda role: is_sent(role, is_statistics=self.is_statistics),
        )
        if has_noise:
            check_published(self._workspace.update_path, self._given.manifest)
        if not self.is_statistics:
            keep_local(
                self._workspace,
                self.commit,
                self._workspace.update_path,
                self._given.roles,
            )
        return update.norm / bound

    def _write_audit(self, num_samples: int) -> None:
        self._ctx.write_audit(
            AuditKind.TRAIN,
            repo=str(self._workspace.repo()),
            base=str(self.commit),
            round_index=self.round_index,
            recipe=str(self._given.recipe_digest),
            data=None,
            source=self.source,
            num_samples=num_samples,
        )


@contextmanager
def training(
    folder: Path | str | None = None,
    *,
    source: str | None = None,
    seed: int | None = None,
    device: str = "auto",
    home: Path | str | None = None,
    progress: Progress = NO_PROGRESS,
) -> Iterator[Training]:
    """Opens the round of a clone for a training program of one's own.

    The workspace is locked meanwhile. An error inside leaves what was trained before.

    Args:
        folder: of the clone, or within it; without it the current folder.
        source: name of the data source, or its file, that privacy loss is counted for.
        seed: of everything random, instead of the recipe's.
        device: `auto`, `cpu`, `cuda` or `mps`.
        home: the user's folder, instead of `FLAIR_HOME` or the platform's place.
        progress: shows what the program reports through the context.

    Raises:
        NotAWorkspace: the folder is no clone.
        TrustRequired: recipe, policy or owner were not accepted.
        StaleBase: HEAD is not the base of the round.
        SiteRefused: the site allows no such recipe or mode.
        WalletError: the policy's strategy is SCAFFOLD, and there is no wallet.
        UsageError: the block ended without `finish`, or the device is not there.
    """
    workspace = find_workspace(Path.cwd() if folder is None else Path(folder))
    flags = Flags(None if home is None else Path(home))
    settings = load_settings(flags, folder=workspace.folder)
    ctx = open_context(
        settings, network=workspace.repo().network, signer=None, progress=progress
    )
    named = None if source is None else ledger_name(ctx.home, source)
    try:
        with workspace.lock(), refusals_written_down(ctx, "train"):
            given = given_now(ctx, workspace)
            base_file(ctx, workspace, given)
            context = _context(ctx, workspace, given, seed=seed, device=device)
            opened = Training(ctx, workspace, given, context)
            opened.source = named
            yield opened
            if opened.result is None:
                raise UsageError("the training ended without finish()")
            forget_run(scratch_folder(workspace))
    finally:
        ctx.chain.close()


def _context(
    ctx: Context, workspace: Workspace, given: Given, *, seed: int | None, device: str
) -> TrainContext:
    recipe = given.recipe
    scratch = scratch_folder(workspace) / "own"
    scratch.mkdir(exist_ok=True)
    is_statistics = given.terms.is_statistics
    return TrainContext(
        seed=recipe.seed if seed is None else seed,
        device=choose_device(device, recipe.framework),
        epochs=recipe.epochs,
        batch_size=recipe.batch_size,
        learning_rate=recipe.learning_rate,
        l2=recipe.l2,
        prox_mu=recipe.prox_mu,
        early_stop_patience=recipe.early_stop_patience,
        options=recipe.options,
        round_index=given.terms.round_index,
        is_statistics=is_statistics,
        scratch=scratch,
        base=_load(scratch_folder(workspace) / "base.safetensors", given),
        trained=frozenset(
            name
            for name, role in given.roles.items()
            if is_sent(role, is_statistics=is_statistics)
        ),
        correction=_correction(ctx, workspace, given),
    )


def _correction(ctx: Context, workspace: Workspace, given: Given) -> Correction | None:
    found = correction_file(ctx, workspace, given)
    if found is None:
        return None
    base = header_at(scratch_folder(workspace) / "base.safetensors")
    values = load_values(found.path, {}, given.recipe.framework)
    return correction_from(found.rate, values, ties_of(base))


def _load(path: Path, given: Given) -> dict[str, Any]:
    framework = given.recipe.framework
    if framework != TORCH:
        path = without_bf16(path, path.with_name("numpy.safetensors"))
    return load_values(path, ties_of(header_at(path)), framework)
