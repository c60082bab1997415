"""Who may do what in a repository, and who asks to."""
