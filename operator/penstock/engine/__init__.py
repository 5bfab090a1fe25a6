"""What an execution does next: a pure function of the flow, the execution and what happened.

No I/O, no clock and no randomness of its own. Who reads this room learns what Penstock does;
:mod:`penstock.controller` shows how that meets Kubernetes.
"""
