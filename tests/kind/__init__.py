"""A kind cluster and a plain-process control plane for tests, built from packages where no registry answers."""
