"""Wrong answers to chapter nin."""
