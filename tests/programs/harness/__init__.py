"""What the runners of tests/programs share: cases, doors, processes, comparison."""
