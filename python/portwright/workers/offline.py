"""Keeps the libraries off the network and off stdout."""

import os
import warnings

SMALL = 50_000_000  # parameters; below, a second thread only waits


def use_threads_for(parameters):
    import torch

    torch.set_num_threads(1 if parameters < SMALL else os.cpu_count() or 1)


def environment():
    """Must run before torch or transformers is imported."""
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    os.environ.setdefault("TRANSFORMERS_OFFLINE", "1")
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    os.environ.setdefault("TRANSFORMERS_NO_ADVISORY_WARNINGS", "1")


def quiet():
    environment()
    warnings.filterwarnings("ignore")
    from transformers.utils import logging

    import torch  # noqa: F401

    use_threads_for(0)
    logging.set_verbosity_error()
    logging.disable_progress_bar()


def dtype_option(dtype):
    """The keyword that makes transformers build or load a model in `dtype`."""
    import transformers

    major, minor = transformers.__version__.split(".")[:2]
    named = (int(major), int(minor)) >= (4, 56)
    return {"dtype" if named else "torch_dtype": dtype}
