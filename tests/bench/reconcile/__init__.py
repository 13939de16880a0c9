"""How fast the operator reconciles, beside what the control plane alone can do on the same machine."""
