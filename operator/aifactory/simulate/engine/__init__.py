"""The inference engine without a clock; the model-server simulator of the tests runs the same."""
