import sys
from pathlib import Path

# What the workers use stands beside the launcher, not among installed packages.
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "python"))
