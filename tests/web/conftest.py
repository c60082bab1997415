"""Sites on the path of these tests."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture
def world(tmp_path):
    """A site over an empty mirror and an empty store."""
    from page_world import PageWorld

    made = PageWorld(tmp_path)
    yield made
    made.close()


@pytest.fixture
def story(world):
    """A repository with two commits, a merged round and an open one."""
    from flair_client.objects import CommitKind

    model = world.model()
    model.commit(CommitKind.ROOT, message="the first model", metrics={"auc": 0.5})
    updates = [
        model.push(n, state="merged", metrics={"auc": 0.5 + n / 10}) for n in (2, 3)
    ]
    merge = model.commit(
        CommitKind.MERGE,
        value=2.0,
        parents=(model.head, *sorted(updates)),
        round_index=1,
        message="merge round 1",
        metrics={"auc": 0.75},
    )
    model.open_round(1, state="merged", merge_commit=merge.raw, ended_at=1_799_999_999)
    model.open_round(2, base_commit=merge.raw)
    model.push(2, index=2)
    return model
