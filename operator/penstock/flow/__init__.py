"""The flow document: typed models of the YAML that people write, and what makes it valid.

This room does no I/O and knows neither Kubernetes nor how a flow is run. Its way in is
:func:`penstock.flow.parse.parse_flow`.
"""
