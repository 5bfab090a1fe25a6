"""The runnable tasks: their properties, and the code that runs in their pods.

One file for each family of types. A task that Penstock's own image runs is a plain dataclass with
``run``; its pod imports nothing heavier than the standard library. A script task describes the
container in which the user's image runs.
"""
