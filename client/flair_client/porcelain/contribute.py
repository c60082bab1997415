"""Takes part in rounds unattended: waits, pulls, trains, commits, pushes, evaluates.

What to do next is decided anew each time from what workspace and chain say (see
`contribute_state`), so that the work may be cut off anywhere and begun again. Trust is
never given here: a change of recipe, policy or owner ends it.
"""

import secrets
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Final

import filelock

from flair_client.context import Context
from flair_client.errors import (
    ApprovalMissing,
    FlairError,
    NotTrained,
    StaleBase,
    TrustRequired,
    VerificationError,
    WorkspaceError,
    WorkspaceLocked,
)
from flair_client.porcelain.approval import approval_file
from flair_client.porcelain.checkout import blocks_of
from flair_client.porcelain.commit import PENDING, TRAINED, commit
from flair_client.porcelain.contribute_look import (
    Looker,
    begin_training,
    outcome_of_round,
    read_progress,
    write_progress,
)
from flair_client.porcelain.contribute_plan import (
    Contributed,
    ContributePlan,
    Ending,
    Listener,
    RoundTaken,
)
from flair_client.porcelain.contribute_state import (
    Aim,
    Decision,
    SentUpdate,
    Situation,
    Step,
    next_step,
)
from flair_client.porcelain.delegation import require_delegation
from flair_client.porcelain.evaluate import evaluate, last_metrics
from flair_client.porcelain.patience import Patience
from flair_client.porcelain.pull import Memory, pull
from flair_client.porcelain.push import push
from flair_client.porcelain.target import find_repo
from flair_client.porcelain.train import train
from flair_client.training.sandbox import keep_template
from flair_client.workspace import Workspace

__all__ = [
    "ContributePlan",
    "Contributed",
    "Ending",
    "Listener",
    "RoundTaken",
    "contribute",
]

_POLL_S: Final = 0.1
_SHOWN_ROUNDS: Final = 100


@dataclass(slots=True)
class _Run:
    """The work while it goes on."""

    ctx: Context
    workspace: Workspace
    plan: ContributePlan
    listener: Listener
    patience: Patience
    looker: Looker
    memory: Memory = field(default_factory=Memory)
    rounds: deque[RoundTaken] = field(
        default_factory=lambda: deque(maxlen=_SHOWN_ROUNDS)
    )
    n_rounds: int = 0
    n_missed: int = 0
    # What a push waited for when a second person's approval was missing.
    unapproved: object = None

    def aim(self) -> Aim:
        n_left = None
        if self.plan.n_rounds is not None:
            n_left = self.plan.n_rounds - read_progress(self.workspace).n_done
        return Aim(n_left, self.plan.open_rounds)

    def result(self, ending: Ending) -> Contributed:
        return Contributed(
            self.workspace.repo(),
            ending,
            self.n_rounds,
            self.n_missed,
            tuple(self.rounds),
        )


def _random() -> float:
    return secrets.SystemRandom().random()


def contribute(
    ctx: Context,
    workspace: Workspace,
    plan: ContributePlan,
    listener: Listener | None = None,
    *,
    jitter: Callable[[], float] = _random,
) -> Contributed:
    """Takes part in rounds until all are done or it is asked to stop.

    Outages of chain and store are waited out. Killed at any point and started again it
    goes on: no update is made or sent twice, and none is lost. A count of rounds goes
    on too, where it is asked for the same number.

    Args:
        ctx: with the contributor's wallet.
        workspace: a clone, trusted.
        plan: what to do.
        listener: hears how it goes, and may stop it.
        jitter: gives numbers in [0, 1), so that many do not look at once.

    Raises:
        TrustRequired: recipe, policy or owner changed; nobody was asked.
        SiteRefused, BudgetSpent: a rule forbids it; waiting would not help.
        VerificationError: the branch's history is wrong, and stays so.
        WorkspaceLocked: another process contributes from here already.
        NotDelegated: the machine key may not push (any more); nothing was trained.
        DataError, RecipeFailed, NotFinite, ProgramRefused, …: as the single verbs.
    """
    run = _Run(
        ctx,
        workspace,
        plan,
        listener or Listener(),
        Patience(plan.interval_s, jitter),
        Looker(ctx, workspace),
    )
    # Rounds of a recipe with code run one after another, all with the same imports.
    with _alone(workspace), keep_template():
        _begin(workspace, plan.n_rounds)
        return _go_on(run)


@contextmanager
def _alone(workspace: Workspace) -> Iterator[None]:
    held = filelock.FileLock(workspace.state_folder / "contribute.lock", timeout=0)
    try:
        held.acquire()
    except filelock.Timeout as exc:
        raise WorkspaceLocked(
            f"another process contributes from {workspace.folder} already"
        ) from exc
    try:
        yield
    finally:
        held.release()


def _begin(workspace: Workspace, n_rounds: int | None) -> None:
    """Takes the count of an unfinished run up, where it is the same run."""
    progressed = read_progress(workspace)
    if progressed.n_asked != n_rounds:
        write_progress(workspace, replace(progressed, n_asked=n_rounds, n_done=0))


def _go_on(run: _Run) -> Contributed:
    listener = run.listener
    while not listener.is_asked_to_stop():
        try:
            known = run.looker.look()
            decision = next_step(known, run.aim())
            if decision.step is Step.PUSH and run.unapproved == _approvable(run, known):
                decision = Decision(Step.WAIT, _APPROVAL)
            if decision.step is Step.DONE:
                _end(run.workspace)
                return run.result(Ending.DONE)
            if decision.step is not Step.WAIT:
                _do(run, known, decision)
                run.patience.went_well()
                continue
            run.patience.answered()
            listener.say(decision.why, decision.until)
            if run.plan.once:
                return run.result(Ending.WAITING)
            pause_s = run.patience.wait(before_merge=known.sent is not None)
        except (FlairError, OSError) as exc:
            # Ctrl-C reaches the processes of a training as well.
            if listener.is_asked_to_stop():
                break
            pause_s = run.patience.after(exc)
            listener.say(f"{exc}; trying again")
        _rest(listener, pause_s)
    return run.result(Ending.ASKED)


_APPROVAL: Final = (
    "the push waits for a second person, who looks with `flair outbox` and signs with "
    "`flair outbox --approve`"
)


def _rest(listener: Listener, seconds: float) -> None:
    while seconds > 0 and not listener.is_asked_to_stop():
        listener.sleep(min(seconds, _POLL_S))
        seconds -= _POLL_S


def _end(workspace: Workspace) -> None:
    write_progress(workspace, replace(read_progress(workspace), n_asked=None, n_done=0))


def _do(run: _Run, known: Situation, decision: Decision) -> None:
    match decision.step:
        case Step.PULL:
            _pull(run)
        case Step.EVALUATE:
            plan = run.plan
            evaluate(
                run.ctx,
                run.workspace,
                plan.data,
                column_map=plan.column_map,
                device=plan.device,
                sandbox=plan.sandbox,
            )
        case Step.SETTLE:
            _settle(run, known)
        case Step.TRAIN:
            _train(run, known)
        case Step.COMMIT:
            _commit(run, known)
        case Step.PUSH:
            _push(run, known)
        case _:
            _stop(known, decision)


def _pull(run: _Run) -> None:
    pulled = pull(run.ctx, run.workspace, memory=run.memory)
    if pulled.fault is not None:
        # Blocks may be on their way still; what is really wrong stays wrong.
        raise VerificationError(f"head of {pulled.branch!r}", pulled.fault)
    if pulled.before != pulled.commit:
        run.listener.note(f"{pulled.branch} is at {pulled.commit.short}")


def _train(run: _Run, known: Situation) -> None:
    plan, index = run.plan, known.next_round_index
    # A training for nothing may take days.
    repo = find_repo(run.ctx, run.workspace.repo())
    require_delegation(repo, run.ctx.contributor)
    run.listener.note(f"round {index}: trains on {known.head.short}")
    begin_training(run.workspace, index)
    train(
        run.ctx,
        run.workspace,
        plan.data,
        column_map=plan.column_map,
        seed=plan.seed,
        allow_one_class=plan.allow_one_class,
        device=plan.device,
        sandbox=plan.sandbox,
    )


def _commit(run: _Run, known: Situation) -> None:
    try:
        commit(
            run.ctx,
            run.workspace,
            message=run.plan.message or f"round {known.next_round_index}",
            privacy=run.plan.privacy,
        )
    except NotTrained:
        # A kill between the file and its marker leaves two that do not belong together.
        run.workspace.clear_marker(TRAINED)


def _push(run: _Run, known: Situation) -> None:
    pending, workspace = known.pending, run.workspace
    if pending is not None and pending.round_index is not None:
        # Before the first byte leaves: from here on it may be on chain.
        progressed = read_progress(workspace)
        sent = SentUpdate(pending.commit, pending.round_index)
        write_progress(workspace, replace(progressed, sent=sent))
    try:
        pushed = push(run.ctx, workspace)
    except StaleBase as exc:
        if pending is None:
            raise
        workspace.clear_marker(PENDING)
        write_progress(workspace, replace(read_progress(workspace), sent=None))
        run.n_missed += 1
        run.listener.warn(f"round {pending.round_index} was missed: {exc}")
        return
    except ApprovalMissing as exc:
        run.unapproved = _approvable(run, known)
        run.listener.warn(str(exc))
        return
    run.unapproved = None
    run.listener.note(
        f"round {pushed.round_index}: {pushed.commit.short} is {pushed.outcome}"
        + (f", {pushed.n_bytes} bytes sent" if pushed.n_bytes else "")
    )


def _approvable(run: _Run, known: Situation) -> object:
    """What a push depends on that was not approved; as long as it is so, none helps."""
    if known.pending is None:
        return (known,)
    path = approval_file(run.workspace, known.pending.commit)
    signed = path.stat().st_mtime_ns if path.exists() else None
    return (known.pending.commit, signed, known.next_round_index, known.chain_head)


def _settle(run: _Run, known: Situation) -> None:
    sent = known.sent
    if sent is None:
        raise WorkspaceError("no round waits for its end")
    store = blocks_of(run.ctx, run.workspace)
    outcome, merge = outcome_of_round(store, known.head, sent)
    line = last_metrics(run.workspace) or {}
    is_of_head = line.get("commit") == str(known.head)
    over = RoundTaken(
        sent.round_index,
        sent.commit,
        outcome,
        merge,
        known.head,
        int(line.get("num_samples", 0)) if is_of_head else 0,
        dict(line.get("metrics", {})) if is_of_head else {},
    )
    # Told before it is written down: a kill in between tells twice, and never not.
    run.listener.round_over(over)
    run.rounds.append(over)
    run.n_rounds += 1
    progressed = read_progress(run.workspace)
    write_progress(
        run.workspace, replace(progressed, sent=None, n_done=progressed.n_done + 1)
    )


def _stop(known: Situation, decision: Decision) -> None:
    """Ends where a person has to act.

    Raises:
        TrustRequired: recipe, policy or owner changed.
        WorkspaceError: a snapshot or a revert waits for its push.
    """
    if known.pending is not None and not known.pending.is_update:
        raise WorkspaceError(decision.why)
    raise TrustRequired(decision.why)
