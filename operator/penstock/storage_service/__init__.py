"""The storage service: pods ask it for files, and it streams them where no object store does.

It holds the key and the credentials of the storage, so that no pod has to. A pod shows its grant
and gets URLs of single files.
"""
