"""Unit tests of flows: YAML beside a flow, in the format of Kestra's unit tests.

A test runs its flow in a world of its own, with some of the flow's tasks replaced by given outputs,
and asserts values of the execution.
"""
