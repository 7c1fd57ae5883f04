"""What is done to a cluster that is there: resize, upgrade, credentials. Each begins as `up` does, by reaching it."""
