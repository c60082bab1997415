"""One file per action; `flair_web.signing.registry` lists them."""
