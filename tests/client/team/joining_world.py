"""What joining, machine keys and sponsors are tried with; a service of a sponsor."""

import threading

import numpy as np
import safetensors.numpy
import uvicorn

from flair_client.chain.accounts import Scope
from flair_client.chain.pdas import CLOCK_ID
from flair_client.invite_link import InviteLink
from flair_client.porcelain.commit import commit
from flair_client.porcelain.invite import invite_create
from flair_client.porcelain.round import round_expire
from flair_client.porcelain.sponsor import open_desk
from flair_client.porcelain.target import find_repo
from flair_client.serving import listen, url_of
from flair_client.sponsor.ledger import Caps
from flair_client.sponsor.rules import Purpose
from flair_client.sponsor.server import create_app
from flair_client.workspace import Workspace

DAY = 86_400
SOL = 10**9
CAPS = Caps(dict.fromkeys(Purpose, SOL), SOL // 20)


class serving:  # noqa: N801 - reads as a verb in `with`
    """The service in a thread of this process."""

    def __init__(self, payer, repos, caps=CAPS):
        self.desk = open_desk(payer, repos, caps=caps, max_priority_lamports=100_000)

    def __enter__(self):
        ready = threading.Event()
        self.listener = listen("127.0.0.1", 0)
        app = create_app(self.desk, on_ready=ready.set)
        self.server = uvicorn.Server(uvicorn.Config(app, log_config=None))
        self.thread = threading.Thread(
            target=self.server.run, kwargs={"sockets": [self.listener]}
        )
        self.thread.start()
        assert ready.wait(30)
        return url_of("127.0.0.1", self.listener)

    def __exit__(self, *_):
        self.server.should_exit = True
        self.thread.join(30)
        self.listener.close()


def link_of(team, **more):
    return InviteLink.parse(
        invite_create(
            team.owner, team.repo, Scope.CONTRIBUTE, lasts_s=30 * DAY, **more
        ).link
    )


def balance(ctx, address=None):
    return ctx.chain.rpc.get_balance(address or ctx.wallet.address)


def shifted_file(folder, step=0.25):
    """A file of a workspace's weights, each larger by a step."""
    tensors = safetensors.numpy.load_file(Workspace(folder).weights_path)
    moved = {name: one + np.float32(step) for name, one in tensors.items()}
    path = folder / "new.safetensors"
    safetensors.numpy.save_file(moved, path)
    return path


def commit_step(ctx, workspace, step=0.25):
    path = shifted_file(workspace.folder, step)
    return commit(ctx, workspace, message="step", weights=path, num_samples=40)


def merged(team):
    """Ends the round with a merge, and clears it away."""
    index = team.place.account.round_index
    team.close_round()
    merge = team.good_merge()
    team.finish_round(merge)
    round_expire(team.owner, team.repo, "main", index)
    return merge


def read_clock(chain):
    return int.from_bytes(chain.rpc.get_account(CLOCK_ID).data[32:40], "little")


def who_pushed(ctx, workspace):
    """Contributor and signer of the update that the round has of a context."""
    target = find_repo(ctx, workspace.repo()).branch("main").round()
    found = ctx.chain.update(target.address, ctx.contributor)
    return found.contributor, found.signer
