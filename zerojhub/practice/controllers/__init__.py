"""Controllers that run outside the clusters: the autoscaler of Cluster API drivers."""
