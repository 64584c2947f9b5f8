"""What ``bridge-run explain CODE`` says."""
