"""Wrong answers to chapter googlenet."""
