from transformers.models.llama.configuration_llama import LlamaConfig


class SharedConfig(LlamaConfig):
    model_type = "shared_blocks"

    def __init__(self, repeats=(1, 1), gate_floor=0.0, **kwargs):
        super().__init__(**kwargs)
        self.repeats = list(repeats)
        self.gate_floor = gate_floor
