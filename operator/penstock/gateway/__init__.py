"""The gateway: receives what strangers send over HTTP, and lets executions start of it.

It keeps nothing, so there may be any number of it. It may read Flows, create Executions and see
them end, and mark a GitSource; it knows no secret of the cluster and no file. What a request means
is decided purely, by :mod:`penstock.triggers.webhook`.
"""
