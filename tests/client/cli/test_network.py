GENESIS = "EtWTRABZaYq6iMfeYKouRu166VU2xqa1wcaWoxPkrZBG"


def test_add_use_show(flair, home):
    added = flair(
        *("network", "add", "clinic", "--url", "http://rpc.example"),
        *("--genesis-hash", GENESIS, "--store", "file:///srv/flair"),
    )
    assert added.code == 0

    assert flair("network", "use", "clinic").code == 0

    shown = flair("network", "show", "--json").line["result"]
    assert shown["name"] == "clinic"
    assert shown["rpc_url"] == "http://rpc.example"
    assert shown["genesis_hash"] == GENESIS
    assert shown["store_url"] == "file:///srv/flair"


def test_add_replaces_only_with_force(flair):
    flair(
        "network",
        "add",
        "clinic",
        "--url",
        "http://one.example",
        "--genesis-hash",
        GENESIS,
    )

    again = flair("network", "add", "clinic", "--url", "http://two.example")
    assert again.code == 2
    assert "already" in again.err

    forced = flair("network", "add", "clinic", "--url", "http://two.example", "-f")
    assert forced.code == 0
    shown = flair("network", "show", "clinic", "--json").line["result"]
    assert shown["rpc_url"] == "http://two.example"
    # The old pin would refuse the new cluster for ever.
    assert shown["genesis_hash"] is None


def test_list_shows_the_built_in_ones(flair):
    result = flair("network", "list", "--json").line["result"]

    names = [item["name"] for item in result["networks"]]
    assert names == ["devnet", "mainnet", "test-validator"]
    assert result["current"] == "localnet"


def test_a_network_without_a_profile_is_answered_with_the_way_to_one(flair):
    line = flair("network", "show", "--json").line

    assert line["exit_code"] == 2
    assert line["error_code"] == "NetworkUnknown"
    assert "flair localnet" in line["hint"]
    assert flair("network", "use", "nowhere").code == 2


def test_bad_values_write_nothing(flair, home):
    for wrong in (
        ("--url", "rpc.example"),
        ("--url", "http://rpc.example", "--genesis-hash", "0"),
        ("--url", "http://rpc.example", "--program-id", "short"),
        ("--url", "http://rpc.example", "--store", "/srv/flair"),
    ):
        assert flair("network", "add", "clinic", *wrong).code == 2
    assert not (home / "config.toml").exists()
