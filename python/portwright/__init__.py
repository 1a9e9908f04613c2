"""Portwright: ports of transformers models to mlx-lm, proven."""
