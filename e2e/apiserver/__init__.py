"""Tests with the API server and etcd alone: the test plays everything else of the cluster."""
