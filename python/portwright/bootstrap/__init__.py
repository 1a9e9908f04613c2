"""Sets up what a checkout needs and builds it; uses the standard library only."""
