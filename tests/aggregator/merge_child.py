"""Makes the merge of a stored round; prints by how much memory it grew.

python merge_child.py STORE EVENTS REPO BRANCH
"""

import resource
import sys
from pathlib import Path

from history_world import BOT

from flair_aggregator.merge import make_merge
from flair_aggregator.round import Fault
from flair_aggregator.verify import examine_update
from flair_client.history.evidence import lineage
from flair_client.history.replay import replay
from flair_client.history.verify_move import Evidence, terms_of, verify_move
from flair_client.ids import Address
from flair_client.store import DiskStore


def peak_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def main(store_folder: str, events_file: str, repo: str, branch: str) -> None:
    events = [bytes.fromhex(line) for line in Path(events_file).read_text().split()]
    store = DiskStore(Path(store_folder))
    history = replay(Address.parse(repo), events)
    where = Address.parse(branch)
    evidence = Evidence(history, events, lineage(history, where), store)
    before = peak_bytes()
    # What an aggregator does: the head, each update, the merge.
    (root,) = evidence.moves
    head = verify_move(evidence, root, None)
    record = history.branches[where].live_round
    terms = terms_of(history, record)
    for update in record.accepted():
        found = examine_update(store, terms, update, head.manifest)
        assert not isinstance(found, Fault), found
    made = make_merge(evidence, record, head, BOT)
    sys.stdout.write(f"{peak_bytes() - before} {made}\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
