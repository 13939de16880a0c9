"""Reading and writing the Kubernetes API."""
