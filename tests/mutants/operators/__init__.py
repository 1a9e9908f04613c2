"""What may be changed in a model's source: a file for each family."""

from . import attention, experts, mlp, norms, recurrent, residuals, rope, styles
from .registry import SEMANTIC, STYLE

__all__ = ["SEMANTIC", "STYLE"]
_families = (attention, experts, mlp, norms, recurrent, residuals, rope, styles)
