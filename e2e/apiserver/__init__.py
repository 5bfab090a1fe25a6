"""Tests with the API server and etcd alone: the tests play everything else of the cluster.

`make apiserver` runs them, beside any cluster. What has to hold stands in `invariants`; stories
that are made by chance, each from its seed, in `test_interleavings` (`PENSTOCK_SEEDS="7 8"` chooses
others); what a real API server says at certain moments in `test_boundary`.
"""
