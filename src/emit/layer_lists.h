#pragma once

#include <string>
#include <vector>

#include "emit/model_writer.h"

namespace portwright::emit {

/// True where the backbone's layers are no plain chain, each run once after the
/// one before it in one list.
bool runs_a_program(const Context& context, const Roles& roles);

/// Layers of a program that lie in one list, or one that lies in none.
struct LayerList {
  std::string path;
  std::string constructor;  // of one layer
  std::string count;        // in terms of ModelArgs
};

/// In order of their first calls; the classes of the layers come to exist.
std::vector<LayerList>
write_lists(Context& context, const Roles& roles, const Masks& masks);

/// All layers of a program, each once, as the model reads them.
std::string program_layers(const Context& context, const Roles& roles);

/// How many layers are in a list; -1 for a layer that lies in none.
int64_t length_of(const Context& context, const std::string& path);

/// Where a layer stands in its list.
int64_t index_in_list(const std::string& path);

/// The states that a layer is given, without what layers before hand on.
std::vector<ValueId> states_of(const Context& context, const Frame& layer);

}  // namespace portwright::emit
