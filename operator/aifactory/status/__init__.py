"""What a user reads: conditions, numbers, events. Pure."""
