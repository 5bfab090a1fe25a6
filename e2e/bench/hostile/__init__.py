"""What one tenant can do to the others, measured on a real cluster: `make bench-hostile`.

An attack is a class in `attacks/`. While it goes on in a namespace, a hello-world of another one is
run again and again.
"""
