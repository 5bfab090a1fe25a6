"""The Git service: it alone runs git, in a pod that has none of the controller's rights.

Thin over :mod:`penstock.git`: who may ask (`door`), and how a thread's records become an answer
(`answers`); whose turn it is says :mod:`penstock.turns`.
"""
