"""What services take of the cluster: GPUs, and what these cost."""
