"""The demo: four hospitals, one shared model, start to report.

It calls only what a user could call: the command `flair` and the public functions.
"""
