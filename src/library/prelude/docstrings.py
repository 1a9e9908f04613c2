"""Decorators of transformers that only write documentation."""


def _transparent(*args, **kwargs):
    """Usable with and without arguments; gives the decorated object back."""
    if len(args) == 1 and not kwargs and not isinstance(args[0], str):
        return args[0]
    return lambda obj: obj


auto_docstring = _transparent
auto_class_docstring = _transparent


def _with_arguments(*args, **kwargs):
    return lambda obj: obj


add_start_docstrings = _with_arguments
add_start_docstrings_to_model_forward = _with_arguments
add_end_docstrings = _with_arguments
add_code_sample_docstrings = _with_arguments
replace_return_docstrings = _with_arguments


def copy_func(f):
    return f


class ClassAttrs:
    pass


class ClassDocstring:
    pass


class ImageProcessorArgs:
    pass


class ModelArgs:
    pass


class ModelOutputArgs:
    pass
