#pragma once

#include <set>
#include <string>
#include <vector>

#include "emit/context.h"

namespace portwright::emit {

struct Sharding {
  std::string method;               // "" where nothing can be split
  std::set<std::string> functions;  // of mlx.nn.layers.distributed
};

/// The `shard` method of Model, by which several machines hold a part of each
/// layer. What find_splits() finds of the modules of a layer is split; a class
/// that answers a part of a sum then adds the parts of all machines, as
/// mlx-lm's own classes with experts do.
Sharding write_sharding(
    std::vector<ClassText>& classes,
    const std::string& layers_path);

}  // namespace portwright::emit
