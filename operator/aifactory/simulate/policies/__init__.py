"""The operator and those that it is compared with."""
