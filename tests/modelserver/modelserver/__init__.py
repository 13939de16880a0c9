"""A model server without a model: real API, real metric names, simulated GPU time."""
