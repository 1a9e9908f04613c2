"""All layers run several times, with a slot of the cache for each time."""

from .configuration_looped import LoopedLayersConfig
from .decoding import DecodingModel
from .pieces import Body


class LoopedBody(Body):
    def run(self, x, *args):
        for turn in range(self.c.n_loop):
            for n, block in enumerate(self.blocks):
                x = block(x, *args, turn * len(self.blocks) + n)
            x = self.norm(x)
        return x


class LoopedLayersForCausalLM(DecodingModel):
    config_class = LoopedLayersConfig
    body_class = LoopedBody
