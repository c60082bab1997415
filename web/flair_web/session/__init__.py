"""Who looks at a page: sign-in by wallet, sessions, and the token of every POST.

Signing in proves an address and nothing more. It is consent to no transaction.
"""
