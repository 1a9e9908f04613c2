"""packaging, for its submodule version."""
