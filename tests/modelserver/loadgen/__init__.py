"""Open-loop load for OpenAI-compatible servers: a shape of rates, or a recorded trace."""
