"""The two worker processes of the battery, and the synthesis of checkpoints."""
