"""The checks run beside the loop and survive what goes wrong with one of them."""

import threading

from flair_client.errors import StoreUnavailable
from flair_indexer.checking import Checked, Checker
from flair_indexer.settings import Options


class Scripted(Checker):
    """Looks that end as a test says."""

    def step(self):
        outcome = self.outcomes.pop(0)
        if not self.outcomes:
            self.over.set()
            self._stopped.set()
        if outcome is not None:
            raise outcome
        return Checked()


def test_a_look_that_fails_ends_nothing(caplog):
    made = Scripted(None, None, None, Options(check_s=0, fetch_limit_s=0), lambda: None)
    made.outcomes = [StoreUnavailable("away"), KeyError("broken"), None]
    made.over = threading.Event()

    made.start()
    assert made.over.wait(30)
    made.stop()

    assert [one.message for one in caplog.records] == ["check_failed", "check_broken"]


def test_nothing_is_checked_while_nobody_may_write(world):
    made = Checker(world.database, None, None, Options(), world.indexer.current_owner)

    assert made.step() == Checked()
