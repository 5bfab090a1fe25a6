"""Tests with the API server and etcd alone: the tests play everything else of the cluster.

`make apiserver` runs them beside any cluster, in two minutes: what a real API server says at
certain moments (`test_boundary`), stories that are made by chance, each from its seed
(`test_interleavings`), and what needs no pod, in the words of `e2e/tests`. What has to hold
whatever happens stands in `invariants`. The controller runs in a process of its own, with the
rights that the chart gives it.
"""
