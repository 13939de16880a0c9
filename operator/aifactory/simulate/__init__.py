"""The operator's decisions on virtual time: traces, simulated engines and a Prometheus, other policies beside it."""
