"""What strangers can set or ask for: shown as text, refused in words, never obeyed."""

import json
import re
from html.parser import HTMLParser

import pytest
from page_rows import digest, object_row
from test_pages import paths

from flair_client.ids import CommitId
from flair_client.objects import CommitKind, Privacy, StrategyRecord, Training
from flair_client.testing_objects import make_address

EVIL = "<script>alert(1)</script><img src=x onerror=alert(1)>\"'&"
ATTRIBUTE = '" onmouseover="alert(1)" x="'
DIRECTION = "safe \u202e evil \u0007\u0000 end"
HOSTILE_CARD = f"""---
license: {EVIL}
---
# {EVIL}

<script>alert(1)</script>
<style>body {{ display: none }}</style>
[click](javascript:alert(1)) [data](data:text/html;base64,PHNjcmlwdD4=)
[vb](vbscript:x) {DIRECTION} <javascript:alert(1)> ![x](https://elsewhere.example/track.png)
<iframe src="https://elsewhere.example"></iframe> <svg onload=alert(1)>

| a | b |
|---|---|
| {EVIL} | [x](https://ok.example "title") |

```html
{EVIL}
```
"""


class Elements(HTMLParser):
    """Every element and attribute that a browser would see."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.found = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))


def dangers(text):
    """What would run, load from elsewhere, or style."""
    found = []
    for tag, attributes in Elements(text).found:
        src = attributes.get("src") or ""
        href = (attributes.get("href") or "").strip().lower()
        if tag == "script" and not src.startswith("/static/app.js?v="):
            found.append((tag, attributes))
        if tag in ("iframe", "object", "embed", "style", "img", "base"):
            found.append((tag, attributes))
        if any(name.startswith("on") or name == "style" for name in attributes):
            found.append((tag, attributes))
        if re.match(r"(javascript|data|vbscript):", href):
            found.append((tag, attributes))
    return found


@pytest.fixture
def hostile(world):
    """A repository in which every free text is an attack."""
    model = world.model(card=HOSTILE_CARD)
    texts = EVIL + ATTRIBUTE
    metrics = {"auc": 0.5, "a/b": 0.25}
    model.commit(CommitKind.ROOT, message=texts + "\n" + EVIL, metrics=metrics)
    update = model.push(
        2,
        message=texts,
        metrics=metrics,
        training=Training(samples_bucket=8, epochs=1, framework=EVIL),
        privacy=Privacy(
            mode="public", epsilon=1.0, delta=1e-5, accountant=EVIL, clip=1.0
        ),
    )
    report = {
        "updates": [
            {"commit": EVIL, "is_outlier": EVIL, "norm_sq": EVIL},
            {"commit": str(update), "is_outlier": [], "norm_bound_sq": "9" * 80},
            17,
        ],
        "metrics": EVIL,
    }
    cid = world.store.put(0x55, json.dumps(report).encode())
    merge = model.commit(
        CommitKind.MERGE,
        value=2.0,
        weights=model.weights(2.0, name=f"layer.{EVIL}"),
        message=EVIL,
        parents=(model.head, update),
        round_index=1,
        report=cid,
        metrics=metrics,
        strategy=StrategyRecord(id="fedavg", params={}, weights=(1,)),
    )
    model.open_round(1, state="merged", merge_commit=merge.raw, ended_at=1_700_000_000)
    model.open_round(2)
    model.push(3, index=2, message=texts, metrics=metrics)
    world.put(
        "invalid_commits",
        {
            "branch": model.branch["branch"],
            "head_seq": model.branch["head_seq"],
            "repo": model.repo["repo"],
            "commit_id": merge.raw,
            "fault": EVIL,
        },
    )
    model.verdict("invalid", model.head.raw, EVIL + ATTRIBUTE)
    # No block may have such names; whatever the database says is shown as text still.
    world.set_all(
        "commit_objects",
        metrics=json.dumps({"<b>" + EVIL: 0.5}),
        message=EVIL + ATTRIBUTE + DIRECTION,
    )
    model.update = update
    return model


def test_no_text_of_strangers_becomes_part_of_a_page(world, hostile):
    listed = [*paths(hostile), f"{hostile.path}/commit/{hostile.update}"]

    for path in listed:
        text = world.page(path)
        assert dangers(text) == [], path
        assert "\u202e" not in text, path
        assert "\u0007" not in text, path


def test_a_card_keeps_what_is_harmless(world, hostile):
    text = world.page(hostile.path)

    assert '<a href="https://ok.example"' in text
    assert "nofollow noopener noreferrer" in text
    assert "<table>" in text
    assert "&lt;script&gt;alert(1)" in text
    assert "elsewhere.example/track.png" not in text


def test_a_feed_with_hostile_texts_is_well_formed(world, hostile):
    import xml.etree.ElementTree as ET

    feed = ET.fromstring(world.page(f"{hostile.path}/feed.atom"))  # noqa: S314 - ours

    names = {one.tag.rpartition("}")[2] for one in feed.iter()}
    assert "script" not in names
    assert "entry" in names


def test_the_api_says_the_same_texts_as_they_are(world, hostile):
    found = world.json(f"/repos{hostile.path}/log")

    assert found["commits"][-1]["message"].startswith(EVIL)


def test_every_answer_forbids_what_is_not_ours(world, hostile):
    for path in ("/", hostile.path, "/nothing", "/api/v1/home", "/static/style.css"):
        with world.client.get(path) as answer:
            headers = answer.headers
        policy = headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(
    "query",
    [
        "q=" + "a" * 100_000,
        "q=%00%ff%fe%c0%ae",
        "q=%3Cscript%3Ealert(1)%3C/script%3E",
        "q=' OR 1=1 --",
        "q=%25%25__%5c",
        "q=x&after=" + "z" * 5000,
        "after=%00",
        "q[]=x&q=y&q=z",
    ],
)
def test_strange_searches_are_answered_in_words(world, hostile, query):
    answer = world.client.get(f"/search?{query}")

    assert answer.status_code in (200, 404), answer.status_code
    assert dangers(answer.text) == []
    assert len(answer.text) < 20_000


@pytest.mark.parametrize(
    "query",
    ["before=-1", "before=1e9", "before=" + "9" * 40, "before=%00", "before=%D9%A1"],
)
def test_strange_numbers_are_refused(world, story, query):
    for path in ("/log", "/rounds"):
        assert world.client.get(f"{story.path}{path}?{query}").status_code == 400


def test_strange_numbers_of_rounds_find_nothing(world, story):
    for index in ("9" * 18, "9" * 40, "-1", "0x1", "1.0"):
        world.page(f"{story.path}/round/main/{index}", 404)
        world.page(f"{story.path}/policy/{index}", 404)


@pytest.mark.parametrize(
    "path",
    [
        "/download/../../../../etc/passwd",
        "/download/..%2f..%2f..%2fetc%2fpasswd",
        "/download/%2e%2e/%2e%2e/etc/passwd.safetensors",
        "/download//etc/passwd",
        "/download/" + "a" * 64 + ".safetensors",
        "/download/" + "A" * 64 + ".safetensors",
        "/download/" + "g" * 64 + ".safetensors",
        "/download/x.safetensors%00.txt",
        "/../../static/../settings.py",
    ],
)
def test_no_download_leaves_its_place(world, story, path):
    assert world.client.get(story.path + path).status_code in (404, 400)


@pytest.mark.parametrize("path", ["/static/../settings.py", "/static/%2e%2e/cli.py"])
def test_no_file_beside_the_static_ones_is_given(world, path):
    assert world.client.get(path).status_code == 404


def test_nothing_is_changed_by_what_only_reads(world, story):
    for path in paths(story):
        for method in ("post", "put", "delete", "patch"):
            assert getattr(world.client, method)(path).status_code in (403, 405)


def test_a_block_that_is_no_commit_is_called_invalid(world, story):
    cid = world.store.put(0x71, b"\xa1aaa1")
    story.move(CommitId(cid.digest))

    text = world.page(f"{story.path}/commit/{cid.digest.hex()}")

    assert "Invalid:" in text


def test_a_commit_that_its_author_did_not_sign_is_called_invalid(world, story):
    from flair_client.encoding import encode_commit
    from flair_client.testing_objects import make_commit, sign

    made = sign(make_commit(CommitKind.ROOT, author=make_address(1)))
    forged = encode_commit(type(made)(**_fields(made) | {"message": "not mine"}))
    cid = world.store.put(0x71, forged)
    story.move(CommitId(cid.digest))

    assert "Invalid:" in world.page(f"{story.path}/commit/{cid.digest.hex()}")


def _fields(value):
    return {name: getattr(value, name) for name in type(value).__slots__}


def test_metrics_that_are_no_numbers_do_not_stop_a_page(world, story):
    lost = CommitId(digest("odd"))
    story.move(lost)
    world.put("commit_objects", object_row(lost.raw, metrics='{"a": NaN, "b": 1e999}'))

    assert "nan" in world.page(f"{story.path}/log")
    assert world.json(f"/repos{story.path}/log")["commits"][0]["metrics"]["a"] is None


def test_a_reader_who_asks_too_often_is_told_to_wait(tmp_path):
    from page_world import PageWorld

    made = PageWorld(tmp_path, rate="3 per hour")
    codes = [made.client.get("/").status_code for _ in range(4)]
    other = made.client.get("/", environ_base={"REMOTE_ADDR": "192.0.2.1"})
    alive = made.client.get("/healthz")
    told = made.client.get("/api/v1/home")
    made.close()

    assert codes == [200, 200, 200, 429]
    assert other.status_code == 200
    assert alive.status_code == 200
    assert told.status_code == 429
    assert int(told.headers["Retry-After"]) > 0


def test_readers_of_one_ipv6_network_are_one_reader(tmp_path):
    from page_world import PageWorld

    made = PageWorld(tmp_path, rate="2 per hour")
    codes = [
        made.client.get("/", environ_base={"REMOTE_ADDR": f"2001:db8::{n}"}).status_code
        for n in range(3)
    ]
    made.close()

    assert codes == [200, 200, 429]


def test_a_proxy_is_believed_only_where_one_is_known(tmp_path):
    from page_world import PageWorld

    headers = [{"X-Forwarded-For": f"192.0.2.{n}"} for n in range(3)]
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    plain = PageWorld(tmp_path / "a", rate="2 per hour")
    behind = PageWorld(tmp_path / "b", rate="2 per hour", proxies=1)

    def codes(one):
        return [one.client.get("/", headers=h).status_code for h in headers]

    assert codes(plain) == [200, 200, 429]
    assert codes(behind) == [200, 200, 200]
    plain.close()
    behind.close()
