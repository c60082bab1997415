"""A small chain for the program's tests.

* `protocol`: the tables of docs/protocol.md as data, so that tests follow the document
* `refusal`: names for the refusals of the framework and the runtime
* `call`: an instruction with its accounts by name
* `chain`: the program in LiteSVM, transactions, snapshots, refusals
* `values`, `spot`, `acts`: a branch, its addresses, and calls that act on it
* `world`: repositories, rounds and updates in any state
* `calls`: a call of every instruction in a state where it passes
* `tampering`: every way to hand an instruction wrong accounts
* `roles`: every way in which a role does not hold
* `model`, `membership`: the rules of rounds and of people as plain Python
* `crowd`, `contributors`, `mergers`, `joiners`: random users, judged by the model
"""
