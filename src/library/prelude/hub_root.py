"""huggingface_hub: nothing of it is reached by building or running a model."""


def is_offline_mode():
    return True
