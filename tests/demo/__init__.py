"""`make demo`: the operator on a real cluster, with simulated model servers, under a rising and falling load."""
