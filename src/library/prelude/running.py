"""A model called as the library's generate() calls it, logits of all positions."""

import inspect
import sys

from transformers.cache_utils import DynamicCache
from transformers.generation import GenerationConfig, GenerationMode

import torch

_LONGEST_WINDOW = 128  # that is reached here
_LIBRARY_MASKS = ("create_causal_mask", "create_sliding_window_causal_mask")
_forgotten = {}


def _accepts(model, name):
    return name in set(inspect.signature(model.forward).parameters)


def _passes_on(model, name):
    """Accepts it by name, or hands keywords it does not know to its inner model."""
    parameters = inspect.signature(model.forward).parameters
    kinds = {parameter.kind for parameter in parameters.values()}
    return name in parameters or inspect.Parameter.VAR_KEYWORD in kinds


def takes_positions(model):
    return _passes_on(model, "position_ids")


def _positions(mask):
    return (mask.cumsum(-1) - 1).masked_fill(mask == 0, 0)


def _logits(outputs):
    return outputs.logits.float()


def forward(model, ids, mask):
    """Without a cache. ids and mask are (B, T); mask may be None."""
    kwargs = {"use_cache": False}
    if mask is not None:
        kwargs["attention_mask"] = mask
        if _passes_on(model, "position_ids"):
            kwargs["position_ids"] = _positions(mask)
    with torch.no_grad():
        return _logits(model(input_ids=ids, **kwargs))


def make_cache(model):
    """The cache that generate() would start with; None where it starts with none."""
    kwargs = {}
    _prepare_cache(model, kwargs, 1)
    return kwargs.get("past_key_values", kwargs.get("cache_params"))


def _with_positions(model, ids, kwargs):
    """The keywords with what v4 calls cache_position."""
    parameters = inspect.signature(model._get_initial_cache_position).parameters
    if "input_ids" in parameters:
        return model._get_initial_cache_position(ids, kwargs)
    return model._get_initial_cache_position(ids.shape[1], model.device, kwargs)


def start_anew(cache):
    """Several tokens are a first forward to states which know only one more token.

    Such a layer of the library's has one mark of a previous state for all it keeps.
    """
    for layer in getattr(cache, "layers", None) or ():
        if getattr(layer, "has_previous_state", None) is True:
            layer.has_previous_state = False


def own_cache(model, batch_size):
    """What v4 models that keep more than keys have generate() start with, or None."""
    if not hasattr(model, "_get_initial_cache_position"):
        return None
    ids = torch.zeros((batch_size, 1), dtype=torch.long)
    kwargs = {"use_cache": True, "attention_mask": torch.ones_like(ids)}
    kwargs = _with_positions(model, ids, kwargs)
    inputs = model.prepare_inputs_for_generation(ids, **kwargs)
    return inputs.get("past_key_values", inputs.get("cache_params"))


def cache_position(model, cache, ids, positions):
    """What v4 tells a forward beside a cache of the model's own; None for others."""
    own = cache is not None and type(cache).__module__ != "transformers.cache_utils"
    if not (own and _accepts(model, "cache_position")):
        return None
    if not hasattr(model, "_get_initial_cache_position"):
        return None
    if cache_name(model) == "past_key_values" or ids.shape[1] == 1:
        return positions[0]
    # Without keys more than one token are a first forward.
    inputs = model.prepare_inputs_for_generation(
        ids, use_cache=True, cache_position=torch.arange(ids.shape[1])
    )
    return inputs["cache_position"]


def handed_on(model, outputs, given):
    """[keyword, cache] that a forward answers for the next; None for that it was given.

    One that was given a cache of the library's may keep to one of its own.
    """
    for name in ("past_key_values", "cache_params", "state"):
        cache = getattr(outputs, name, None)
        if cache is not None and cache is not given and _accepts(model, name):
            return [name, cache]
    return None


def create_causal_mask():
    """Stands in a trace for a mask of the library's, where it makes none itself."""


def one_token():
    """Stands in a trace for a module's forward of one token."""


def get_recurrent_state():
    """Stands in a trace for a module's reading of a state it keeps."""


def update_recurrent_state():
    """... and for its keeping another."""


def untie(model):
    """Gives numbered modules that share weights some of their own: {name: whose}."""
    shared = {}
    pairs = getattr(model, "all_tied_weights_keys", None) or {}
    for target, source in pairs.items():
        path, _, name = target.rpartition(".")
        if any(part.isdigit() for part in path.split(".")):
            module = model.get_submodule(path)
            weights = getattr(module, name).detach().clone()
            setattr(module, name, torch.nn.Parameter(weights))
            shared[target] = source
    return shared


def give_apart(model):
    """Numbered modules that are given the same states twice get two values."""
    for path, module in model.named_modules():
        if path.rpartition(".")[2].isdigit():
            _Apart(module)


def stack_lists(model):
    """Lists of matrices that are alike become one parameter, of which a forward reads
    parts; their modules have the names in `stacked_lists`."""
    for module in list(model.modules()):
        for name, values in list(module._modules.items()):
            if not isinstance(values, torch.nn.ParameterList):
                continue
            parts = list(values)
            shapes = {tuple(part.shape) for part in parts}
            if len(parts) < 2 or len(shapes) > 1 or len(parts[0].shape) < 2:
                continue
            del module._modules[name]
            stacked = torch.stack([part.detach() for part in parts])
            setattr(module, name, torch.nn.Parameter(stacked))
            known = getattr(module, "stacked_lists", ())
            module.stacked_lists = (*known, name)


class _Apart:
    """Of no effect after a first call that gives each of the states once."""

    def __init__(self, module):
        self.handle = module.register_forward_pre_hook(self.before, with_kwargs=True)

    def before(self, module, args, kwargs):
        self.seen, self.repeated = [], False
        positional = tuple([self.apart(value) for value in args])
        keywords = {name: self.apart(value) for name, value in kwargs.items()}
        if not self.repeated:
            self.handle.remove()
        return positional, keywords

    def apart(self, value):
        if not (isinstance(value, torch.Tensor) and value.dim() == 3):
            return value
        if any(value is one for one in self.seen):
            self.repeated = True
            return value.detach()
        self.seen.append(value)
        return value


def kept(model):
    """What its inner model, too, takes for logits to keep: all of them."""
    inner = getattr(model, "base_model", model)
    return slice(0, None) if _accepts(inner, "logits_to_keep") else None


def cache_name(model):
    """The keyword by which its forward takes a cache."""
    return "cache_params" if _accepts(model, "cache_params") else "past_key_values"


def _forgets_in_vain(model, cache):
    """True where a model with masks of its own attends to all there is, but no more
    past the window of a cache: it raises there, or masks other keys.

    The library's cache takes `sliding_window` of any config for one.
    """
    layers = getattr(cache, "layers", None) or ()
    windows = [one.sliding_window for one in layers if hasattr(one, "sliding_window")]
    masks = vars(sys.modules[type(model).__module__])
    if not windows or max(windows) > _LONGEST_WINDOW:
        return False
    if any(name in masks for name in _LIBRARY_MASKS):
        return False
    key = (type(model), *windows)
    if model.dtype == torch.float32 or key not in _forgotten:
        another = DynamicCache(config=model.config.get_text_config(decoder=True))
        length = max(windows) + 3
        blank = _fill(model)
        _forgotten[key] = not _continues(model, another, length) and _continues(
            model, DynamicCache(), length
        )
        with torch.no_grad():
            for weight in blank:
                weight.zero_()
    return _forgotten[key]


def _fill(model):
    """Gives matrices without weights some; those matrices."""
    blank = [weight for weight in model.parameters() if not bool(weight.any())]
    with torch.no_grad():
        for turn, weight in enumerate(blank):
            numbers = torch.arange(weight.numel()) * (7.0 + turn)
            scale = weight.shape[-1] ** -0.5
            weight.copy_((torch.cos(numbers * numbers) * scale).reshape(weight.shape))
    return blank


def _continues(model, cache, length):
    """Whether pieces of a prompt come out as in one."""
    vocabulary = model.config.get_text_config(decoder=True).vocab_size
    ids = torch.arange(length).unsqueeze(0) % vocabulary
    given = {"past_key_values": cache, "use_cache": True}
    try:
        with torch.no_grad():
            whole = model(input_ids=ids, use_cache=False).logits[:, -2:]
            model(input_ids=ids[:, :-2], **given)
            last = model(input_ids=ids[:, -2:], **given).logits
    except (AttributeError, IndexError, RuntimeError, TypeError, ValueError):
        return False
    return bool((last - whole).abs().max() <= 1e-4 * whole.abs().max())


def _prepare_cache(model, kwargs, batch_size):
    config = GenerationConfig(use_cache=True)
    prepare = getattr(model, "_prepare_cache_for_generation", None)
    if prepare is None:  # in early versions of v4 it begins with none
        kwargs["use_cache"] = True
        return
    parameters = inspect.signature(prepare).parameters
    values = {
        "generation_config": config,
        "model_kwargs": kwargs,
        "generation_mode": GenerationMode.GREEDY_SEARCH,
        "assistant_model": None,
        "batch_size": batch_size,
        "max_cache_length": 1 << 20,
        "device": model.device,
    }
    try:
        prepare(*[values[name] for name in parameters if name in values])
        if _forgets_in_vain(model, kwargs.get("past_key_values")):
            kwargs["past_key_values"] = DynamicCache()
    except AttributeError:
        # The library's cache counts layers, but no config need count them so.
        if hasattr(model.config, "num_hidden_layers"):
            raise
        kwargs["use_cache"] = False


def _holds_tensors(value):
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, (list, tuple)):
        return any(_holds_tensors(item) for item in value)
    return isinstance(value, torch.Tensor)


def _is_unused(cache):
    """generate() hands a cache to models, too, that keep none."""
    layers = getattr(cache, "layers", None)
    return layers is not None and not any(_holds_tensors(vars(one)) for one in layers)


class Session:
    """One cached run: a prefill, then steps."""

    def __init__(self, model, mask=None):
        self.model = model
        self.ids = None
        self.mask = mask
        self.kwargs = {"use_cache": True}

    def prefill(self, ids):
        model = self.model
        mask = torch.ones_like(ids) if self.mask is None else self.mask
        if _accepts(model, "attention_mask"):
            self.kwargs["attention_mask"] = mask
        # Before v5 each step derives them from the mask.
        prepare = getattr(model, "_prepare_position_ids_for_generation", None)
        if prepare is not None and _accepts(model, "position_ids"):
            self.kwargs["position_ids"] = prepare(ids, self.kwargs)
        if hasattr(model, "_get_initial_cache_position"):
            self.kwargs = _with_positions(model, ids, self.kwargs)
        elif bool((mask == 1).all()):
            self.kwargs["attention_mask"] = None
        _prepare_cache(model, self.kwargs, ids.shape[0])
        given = dict(self.kwargs)
        try:
            return self._run(ids)
        except (AttributeError, IndexError, TypeError, ValueError):
            # Before the library's caches, models began without and answered pairs;
            # and those whose layers run in turns keep more than the config counts.
            if self.kwargs.pop(cache_name(model), None) is None:
                raise
        unknown = {cache_name(model)}
        prepare = inspect.signature(model.prepare_inputs_for_generation)
        if "next_sequence_length" not in prepare.parameters:
            unknown.add("position_ids")  # it derives those of a step from the mask
        self.kwargs = {k: v for k, v in given.items() if k not in unknown}
        return self._run(ids)

    def step(self, ids):
        """The next ids, (B, T), T = 1 before v5: their logits, (B, T, V)."""
        count = ids.shape[1]
        if count > 1:  # one is there already
            self._expect(num_new_tokens=count - 1)
        logits = self._run(torch.cat([self.ids, ids], dim=-1), count)
        return logits[:, -count:]  # a model without a cache answers for all

    def _run(self, ids, count=None):
        """The last `count` of the ids, those before in the cache; all where None."""
        model = self.model
        self.ids = ids
        kwargs = dict(self.kwargs)
        if not hasattr(model, "_get_initial_cache_position"):
            kwargs["is_first_iteration"] = count is None
            if count is not None and kwargs["use_cache"]:
                kwargs["next_sequence_length"] = count
        with torch.no_grad():
            inputs = model.prepare_inputs_for_generation(ids, **kwargs)
            # generate() wants the last position; 0 keeps them all.
            for name in ("logits_to_keep", "num_logits_to_keep"):
                if name in inputs:
                    inputs[name] = 0
            self.outputs = model(**inputs, return_dict=True)
        self._expect()
        return _logits(self.outputs)

    def _expect(self, **count):
        """What the next tokens are given: the cache, their positions, their mask."""
        self.kwargs = self.model._update_model_kwargs_for_generation(
            self.outputs,
            self.kwargs,
            is_encoder_decoder=self.model.config.is_encoder_decoder,
            **count,
        )

    def cache(self):
        for name in ("past_key_values", "cache_params", "state", "mems"):
            cache = self.kwargs.get(name)
            if cache is not None and not _is_unused(cache):
                return cache
        return None
