"""A small chain for the program's tests.

* `protocol`: the tables of docs/protocol.md as data, so that tests follow the document
* `chain`: the program in LiteSVM, transactions, snapshots, refusals
* `world`: repositories, rounds and updates in any state, and calls that act on them
* `calls`: a call of every instruction in a state where it passes
* `tampering`: every way to hand an instruction wrong accounts
* `roles`: every way in which a role does not hold
* `model`: the rules of rounds as plain Python
"""
