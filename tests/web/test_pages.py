"""What each page says, and that it says what is missing, wrong or old."""

import html

import pytest
from page_rows import NOW, cursor_row, digest

from flair_client.ids import Address, CommitId
from flair_client.objects import CommitKind, Privacy
from flair_client.testing_objects import make_address


def paths(model):
    """Every kind of page."""
    head = model.head
    own = [
        *("", "/log", "/log/main", "/rounds", "/round/main/1", "/round/main/2"),
        *("/policies", "/policy/0", "/people", "/queue", "/compare"),
        *(f"/commit/{head}", f"/compare?a=main&b={head}", "/feed.atom"),
    ]
    wallet = f"/wallet/{make_address(2)}"
    return [
        "/",
        "/search?q=heart",
        wallet,
        "/health",
        *(model.path + one for one in own),
    ]


def test_every_page_can_be_read_without_a_script(world, story):
    for path in paths(story):
        text = world.page(path)
        if not path.endswith(".atom"):
            assert text.count("<h1>") == 1, path
            assert 'href="#main"' in text


def test_every_page_takes_few_statements(world, story):
    counts = {path: world.statements(path) for path in paths(story)}

    assert max(counts.values()) <= 12, counts


def test_a_repository_shows_card_size_licence_heads_and_how_to_join(world, story):
    text = world.page(story.path)

    assert "<h3>Heart</h3>" in text
    assert "<strong>small</strong>" in text
    assert "apache-2.0" in text
    assert "12</dd>" in text, "values of the model"
    assert "Round 2" in text
    assert f"flair clone flair://localnet{story.path}" in text
    assert f"{story.path}/download/{story.head}.safetensors" in text


def test_a_history_shows_merges_with_their_updates(world, story):
    text = world.page(f"{story.path}/log")

    assert text.count('class="side"') == 2, "a dot for each update"
    assert text.index("merge round 1") < text.index("the first model")


def test_metrics_of_a_branch_are_drawn_as_lines(world, story):
    text = world.page(f"{story.path}/log/main")

    assert "<polyline" in text
    assert "<h3>auc</h3>" in text
    assert "style=" not in text
    assert "<polyline" not in world.page(f"{story.path}/log")


def test_a_long_history_has_pages(world):
    model = world.model()
    model.commit(CommitKind.ROOT, message="the first model")
    for n in range(60):
        model.move(CommitId(digest(f"commit {n}")))

    first = world.page(f"{model.path}/log/main")
    second = world.page(f"{model.path}/log/main?before=12")

    assert "before=12" in first
    assert "the first model" not in first
    assert "the first model" in second


def test_two_branches_are_two_lanes(world, story):
    other = world.model()
    other.branch = dict(story.branch, name="trial", branch=digest("trial"))
    other.set_branch(head_commit=bytes(32), head_seq=0)
    other.move(story.head, seq=1, kind="root")
    other.commit(parents=(story.head,), message="on trial")
    story.commit(message="on main", value=4.0)

    text = world.page(f"{story.path}/log")

    assert "s1" in text
    assert "on trial" in text


def test_a_commit_shows_what_changed_and_how_to_check_it(world, story):
    text = world.page(f"{story.path}/commit/{story.head}")

    assert "layer.weight" in text
    assert 'class="bar"' in text
    assert "better" in text, "its metric against the parent's"
    assert f"flair show {story.head}" in text
    assert "signature checked" in text


def test_an_update_shows_its_privacy_in_words(world, story):
    bare = story.push(4, index=2, privacy=Privacy(mode="public", clip=8.0))
    noisy = story.push(
        5,
        index=2,
        privacy=Privacy(
            mode="public", clip=8.0, epsilon=1.25, delta=1e-5, accountant="rdp"
        ),
    )

    assert "unprotected" in world.page(f"{story.path}/commit/{bare}")
    assert "1.25 at δ 1e-05" in world.page(f"{story.path}/commit/{noisy}")


def test_a_round_shows_who_pushed_and_what_is_missing(world, story):
    world.put(
        "roles",
        {
            "repo": story.repo["repo"],
            "branch": bytes(32),
            "grantee": make_address(7).raw,
            "scope": 1,
            "expires_at": 0,
            "authority_epoch": 0,
            "granted_by": make_address(1).raw,
        },
    )

    text = world.page(f"{story.path}/round/main/2")

    assert "What is missing" in text
    assert "1 more updates, at least" in text
    assert str(make_address(7)) in text, "who has not pushed"
    assert str(make_address(2)) in text, "who has"
    assert "1 h left" in text


def test_sites_are_summed_up(world, story):
    text = world.page(f"{story.path}/round/main/1")

    assert "Evaluation by site" in text
    assert "0.75" in text


def test_a_queue_shows_what_waits(world, story):
    world.put(
        "join_requests",
        {
            "repo": story.repo["repo"],
            "applicant": make_address(9).raw,
            "branch": bytes(32),
            "scope": 3,
            "note_digest": bytes(32),
            "requested_at": NOW - 5,
        },
    )

    text = world.page(f"{story.path}/queue")

    assert str(make_address(9)) in text
    assert "Updates to look at" in text


def test_a_wallet_shows_its_work_and_its_repositories(world, story):
    assert "update" in world.page(f"/wallet/{make_address(2)}")
    assert "owner" in world.page(f"/wallet/{make_address(1)}")
    assert "pushed no update" in world.page(f"/wallet/{make_address(33)}")


def test_void_and_expired_roles_are_called_so(world, story):
    roles = [
        {
            "repo": story.repo["repo"],
            "branch": bytes(32),
            "grantee": make_address(n).raw,
            "scope": 1,
            "expires_at": expires_at,
            "authority_epoch": epoch,
            "granted_by": make_address(1).raw,
        }
        for n, expires_at, epoch in ((7, NOW - 1, 0), (8, 0, 5))
    ]
    world.put("roles", *roles)

    text = world.page(f"{story.path}/people")

    assert "expired" in text
    assert "void" in text


def test_search_finds_names_ids_and_wallets(world, story):
    world.model("lung")

    assert "lung" not in world.page("/search?q=HEART")
    assert "heart" in world.page(f"/search?q={story.head.short}")
    assert str(make_address(2)) in world.page(f"/search?q={make_address(2)}")
    assert "No repository" in world.page("/search?q=%25")


def test_search_has_pages(world):
    for n in range(35):
        world.model(f"model-{n:02}")

    first = world.page("/search?q=model")
    following = html.unescape(first.split('rel="next" href="')[1].split('"')[0])
    second = world.page(following)

    assert "model-29" in first
    assert "model-30" not in first
    assert "model-30" in second


def test_a_commit_that_no_store_has_is_shown_as_missing(world, story):
    lost = CommitId(digest("lost"))
    story.move(lost)
    story.verdict("missing")

    assert "Missing: no store has it" in world.page(f"{story.path}/commit/{lost}")
    text = world.page(story.path)
    assert "are in no store" in text
    assert "Missing: no store has it" in text, "the model's size"
    assert "unknown" in world.page(f"{story.path}/log")


def test_an_invalid_head_is_never_shown_as_the_model(world, story):
    good = story.head
    bad = story.commit(value=9.0, message="a wrong merge")
    story.verdict("invalid", good.raw, "weights are not the sum of the updates")
    world.put(
        "invalid_commits",
        {
            "branch": story.branch["branch"],
            "head_seq": story.branch["head_seq"],
            "repo": story.repo["repo"],
            "commit_id": bad.raw,
            "fault": "weights are not the sum of the updates",
        },
    )

    text = world.page(story.path)

    assert "The head of branch main is invalid" in text
    assert f"/download/{good}.safetensors" in text
    assert f"/download/{bad}.safetensors" not in text
    assert "Clients refuse it" in world.page(f"{story.path}/commit/{bad}")
    world.page(f"{story.path}/download/{bad}.safetensors", 409)
    assert world.json(f"/repos{story.path}")["branches"][0]["head_state"] == "invalid"


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ("behind", "behind the chain"),
        ("different", "differs from the repository"),
    ],
)
def test_a_repository_that_is_not_whole_says_so(world, story, state, words):
    world.set_all("reconciliations", state=state)

    for path in ("", "/log", f"/commit/{story.head}", "/round/main/1"):
        assert words in world.page(story.path + path), path


def test_pages_say_that_the_indexer_is_behind(world, story):
    world.seconds += 3600

    assert "last seen 1 h" in world.page(story.path)
    assert "behind" in world.page("/health")
    assert world.json("/health")["state"] == "behind"


def test_health_names_repositories_that_differ(world, story):
    world.set_all("reconciliations", state="different")

    text = world.page("/health")

    assert "Different from their accounts" in text
    assert f'href="{story.path}"' in text


def test_an_empty_site_says_so(world):
    assert "flair repo create" in world.page("/")
    world.put("cursor", cursor_row(reconciled_at=None))
    assert "not compared anything yet" in world.page("/")


def test_a_database_that_does_not_answer_is_said_in_words(world, story):
    world.page(story.path)
    with world.database.unit() as connection:
        connection.exec_driver_sql("DROP TABLE repos")

    text = world.page(story.path, 503)

    assert "try again soon" in text
    assert "sqlite" not in text.lower()


def test_the_rpc_is_not_asked_for_reading(world, story, monkeypatch):
    from flair_client.chain.rpc import Rpc

    asked = []

    def fail(_rpc, method, *_args, **_kwargs):
        asked.append(method)
        raise AssertionError("a page asked the cluster")

    # All requests go through one of the two.
    monkeypatch.setattr(Rpc, "ask", fail)
    monkeypatch.setattr(Rpc, "ask_many", fail)

    for path in paths(story):
        world.page(path)

    assert asked == []


def test_only_what_a_repository_had_is_shown_as_its_own(world, story):
    other = world.model("lung")

    world.page(f"{other.path}/commit/{story.head}", 404)
    world.page(f"{other.path}/download/{story.head}.safetensors", 404)
    world.page(f"/{Address(digest('nobody'))}/heart", 404)
    world.page(f"{story.path}/round/main/99", 404)
    world.page(f"{story.path}/log/other", 404)
