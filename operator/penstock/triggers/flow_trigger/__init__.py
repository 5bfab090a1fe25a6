"""Flow triggers: an execution of another flow starts one of this flow.

Both languages stand side by side: `conditions`, `states` and `preconditions` of Kestra 1.x, and
`dependsOn`, `mode`, `window`, `when`, `onMiss` of 2.0. :func:`decision.decide` says what an
execution's state does to a trigger; what it must remember is a :class:`memory.Memory` that the
caller keeps.
"""
