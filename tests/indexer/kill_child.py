"""An indexer in a process of its own that kills itself before a phase.

kill_child.py DATABASE PHASE COUNT STAGE
"""

import os
import signal
import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent)]

from indexer_world import World  # noqa: E402 - the path comes first

from flair_indexer.run import backfill  # noqa: E402 - as above
from flair_indexer.settings import Options  # noqa: E402 - as above


def told(url: str, stage: int) -> World:
    """The same chain in every process: at 1 slots are dropped, at 2 all is final."""
    world = World(url, options=Options(page_size=5, unit_size=4))
    world.source.final_lag = 4
    world.story("heart", n_updates=2, n_rounds=1)
    world.story("lung", n_updates=2, n_rounds=1)
    if stage >= 1:
        world.chain.drop(world.chain.slot)
        world.chain.drop(world.chain.slot - 1)
        world.chain.next_slot()
        world.story("eye", n_updates=1, n_rounds=1)
    if stage >= 2:
        world.settle()
    return world


def main() -> None:
    """Works until the phase comes the wanted time, or to the end."""
    url, phase, count, stage = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4]
    world = told(url, int(stage))
    left = [count]

    def on_phase(name: str) -> None:
        if name == phase:
            left[0] -= 1
            if left[0] == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    world.indexer.on_phase = on_phase
    backfill(world.indexer)
    world.close()


if __name__ == "__main__":
    main()
