"""transformers.utils.output_capturing: outputs of inner layers are not kept.

`forward` answers with what the model's own code returns; asking for hidden
states or attentions is refused, since they would be missing.
"""

from dataclasses import dataclass
from functools import wraps


@dataclass
class OutputRecorder:
    target_class: type = None
    index: int = 0
    layer_name: str | None = None
    class_name: str | None = None
    capture_initial_hidden_state: bool = True
    num_hidden_layers_key: str = "num_hidden_layers"


_CAN_RECORD_REGISTRY = {}
_CAPTURED = ("output_hidden_states", "output_attentions", "output_router_logits")


def capture_outputs(func=None, *, tie_last_hidden_states=True):
    def decorator(func):
        @wraps(func)
        def wrapper(self, *args, **kwargs):
            return_dict = kwargs.pop(
                "return_dict", getattr(self.config, "return_dict", True)
            )
            for name in _CAPTURED:
                if kwargs.get(name):
                    raise NotImplementedError(f"{name} is not evaluated")
            outputs = func(self, *args, **kwargs)
            if return_dict is False:
                outputs = outputs.to_tuple()
            return outputs

        return wrapper

    return decorator if func is None else decorator(func)


def select_hidden_states(selection):
    return lambda func: func


def patch_output_recorders(model):
    pass


def maybe_install_capturing_hooks(model):
    pass
