"""Moving a hub to another cluster: with its volumes (`move`), or with copies of everybody's files (`copying`).

Nothing is remembered between runs. What has been done already shows in the two clusters and in Cinder: which hub is at a
standstill, which cluster has a volume, for which deployment a volume without a cluster is kept, and of which backup a volume
has the files.
"""
