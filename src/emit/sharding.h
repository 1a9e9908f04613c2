#pragma once

#include <map>
#include <string>
#include <vector>

#include "emit/context.h"

namespace portwright::emit {

/// The `shard` method of Model, by which several machines hold a part of each
/// layer: "" where no part of a layer can be split. `plan` is the source's own
/// plan of tensor parallelism, by paths such as "layers.*.mlp.up_proj".
///
/// A module of the layer is split where the plan splits all its linear layers,
/// by columns and then by rows, and it does nothing in between that would tell
/// a part of the columns from all of them; else it is held whole by each.
std::string shard_method(
    const std::vector<ClassText>& classes,
    const std::string& layers_path,
    const std::map<std::string, std::string>& plan);

/// The plan of the config's class; empty where it has none.
std::map<std::string, std::string> tensor_parallel_plan(Context& context);

}  // namespace portwright::emit
