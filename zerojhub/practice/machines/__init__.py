"""Linux machines made of namespaces, and Kubernetes on them."""
