"""`python -m flair_client.cli`: the same as `flair`."""

from flair_client.cli.app import main

main()
