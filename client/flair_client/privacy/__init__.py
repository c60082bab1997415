"""Differential privacy of updates: noise, what it costs, and what was spent.

An update is clipped to a norm and gets noise before it is signed (`noise`, `plan`);
`accountant` says what that gives away, `ledger` adds it up per data source.
"""
