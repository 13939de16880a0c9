"""Sources of models on this machine or in a test cluster."""
