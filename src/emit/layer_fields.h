#pragma once

#include <optional>
#include <string>
#include <vector>

#include "emit/context.h"

namespace portwright::emit {

/// A field of a config that is one of several, as args.of_layer(layer_idx).x;
/// nothing for another node. Notes in the context that ModelArgs needs it.
std::optional<std::string> of_layer_text(
    Context& context,
    const eval::Provenance& p);

/// The two fields that such a node reads: "head_dim", and the one that holds
/// the configs; nothing for another node.
std::vector<std::string> layer_fields(const eval::Provenance& p);

/// Lets a constructor name what it reads the fields of its layer of.
void name_layer(ClassText& text);

/// Statements of __post_init__ for what config.json holds of single layers.
std::vector<std::string> layer_fields_read(const Context& context);

/// The method of ModelArgs that answers them.
std::string layer_fields_method(const Context& context);

}  // namespace portwright::emit
