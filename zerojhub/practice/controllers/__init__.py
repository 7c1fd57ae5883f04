"""What looks after clusters from outside of them: the autoscaler of Cluster API drivers."""
