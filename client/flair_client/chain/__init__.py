"""The program seen from Python: addresses, accounts, instructions, events, RPC.

Besides the localnet the only package that imports solders.
"""
