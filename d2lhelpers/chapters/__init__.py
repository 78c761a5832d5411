"""What the chapters define, one module each, for the other chapters, the checks, tests and benchmarks."""
