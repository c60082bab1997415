"""Removes each check of the program in turn and shows which test notices.

* `source`: finds the mutations in the Rust sources
* `instrument`: writes a copy in which mutations are switched at run time
* `build`: builds that copy once, and one program for each set of dropped attributes
* `judge`: runs the tests against each mutant
"""
