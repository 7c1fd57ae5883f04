"""Linux machines built from namespaces, and Kubernetes on them."""
