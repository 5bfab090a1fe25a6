"""The internal storage: files of executions and of namespaces, key-value pairs, all by URI.

It says where a file lies and who may read it. The bytes lie on a file system of ``fsspec``.
"""
