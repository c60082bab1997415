"""Every action in a real browser, from the button to the final transaction."""

from flair_client.chain.pdas import find_repo_pda
from flair_client.ids import Address


def test_a_repository_is_made(world, people):
    maria = people("maria").sign_in()

    shown = maria.act("repo_create", {"name": "lungs"})

    account = world.place.chains[0].repo(
        find_repo_pda(Address.parse(maria.address), "lungs")[0]
    )
    assert str(account.authority) == maria.address
    assert "your wallet" in shown
    assert "Fee" in shown
    assert "Rent of repo" in shown
