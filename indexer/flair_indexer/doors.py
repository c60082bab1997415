"""How an indexer reaches its node: what wakes it, and who fetches beside it."""

from collections.abc import Callable

from flair_client.chain.transport import Door
from flair_client.context import Context
from flair_client.errors import SiteRefused
from flair_client.settings import Settings
from flair_indexer.aside import Aside, AsidePlan
from flair_indexer.notified import Notified, Socket
from flair_indexer.wakeup import Tick, Wakeup


def open_wakeup(
    ctx: Context, settings: Settings, tell: Callable[[str], None]
) -> Wakeup:
    """Gives what ends a pause: the node's notifications, where the site allows them."""
    url = ctx.network.socket_url
    try:
        ctx.site.check_url(url)
    except SiteRefused as exc:
        tell(f"no WebSocket: {exc}; looks at every tick")
        return Tick()
    door = Door(settings.text("rpc.proxy"), settings.text("rpc.ca_file"))
    return Notified(Socket(url, ctx.program_id, door), tell)


def open_aside(ctx: Context, settings: Settings, batch_size: int) -> Aside:
    """Gives the process that fetches where much is waiting; it is not begun yet."""
    return Aside(
        AsidePlan(
            ctx.network.rpc_url,
            ctx.network.genesis_hash,
            settings.number("rpc.timeout_s", 30.0),
            batch_size,
            str(ctx.program_id),
            ctx.network.more_rpc_urls,
            settings.text("rpc.proxy"),
            settings.text("rpc.ca_file"),
        )
    )
