"""Tests with the API server and etcd alone: the tests play everything else of the cluster.

`make apiserver` runs what a real API server says at certain moments (`test_boundary`), beside any
cluster. `make stories` runs stories that are made by chance, each from its seed, in
`test_interleavings` (`PENSTOCK_SEEDS="7 8"` chooses others); what has to hold in each stands in
`invariants`.
"""
