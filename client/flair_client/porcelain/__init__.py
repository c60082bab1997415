"""One verb per file: what `flair VERB` does, as a function that prints nothing."""
