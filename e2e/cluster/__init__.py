"""A real Kubernetes on one machine, for end-to-end tests and demonstrations.

Unit tests with a fake API server cannot tell whether a Job really runs, is evicted or is refused
by admission. This package starts the genuine components, so that the tests meet what users meet.
"""
