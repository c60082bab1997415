"""A small chain for the program's tests.

* `protocol`: the tables of docs/protocol.md as data, so that tests follow the document
* `chain`: the program in LiteSVM, transactions, snapshots, refusals
* `world`: repositories, rounds and updates in any state, and a call of every instruction
* `tampering`: every way to hand an instruction wrong accounts
"""
