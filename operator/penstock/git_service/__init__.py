"""The Git service: it alone runs git, in a pod that has none of the controller's rights.

Thin over :mod:`penstock.git`: who may ask (`door`), whose turn it is (`turns`), and how a thread's
records become an answer (`answers`).
"""
