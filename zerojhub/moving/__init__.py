"""Moving a hub to another cluster, without copying anybody's files.

Nothing is remembered between runs. What has been done already shows in the two clusters and in Cinder: which hub is at a
standstill, which cluster has a volume, and for which deployment a volume without a cluster is kept.
"""
