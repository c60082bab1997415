"""History: walking commits, folding events, and checking one against the other."""
