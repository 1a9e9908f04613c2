"""Few layers, each of which stands for a group of neighbours."""

from torch import nn

from .configuration_groups import SharedGroupsConfig
from .decoding import DecodingModel
from .pieces import Block, Body


class GroupsBody(Body):
    def __init__(self, c):
        super().__init__(c)
        del self.blocks
        self.groups = nn.ModuleList([Block(c, n) for n in range(c.n_group)])

    def run(self, x, *args):
        for n in range(self.c.n_layer):
            group = int(n / (self.c.n_layer / self.c.n_group))
            x = self.groups[group](x, *args, n)
        return x


class SharedGroupsForCausalLM(DecodingModel):
    config_class = SharedGroupsConfig
    body_class = GroupsBody
