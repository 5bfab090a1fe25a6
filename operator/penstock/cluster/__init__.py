"""What people and programs do with Penstock's objects in a cluster, by their own rights there.

Nothing is printed here and no command line is read: that is the caller's.
"""
