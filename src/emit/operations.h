#pragma once

#include "emit/module_writer.h"

namespace portwright::emit {

/// The literal lowering of torch's operations to MLX, one by one.
class Operations {
 public:
  explicit Operations(ModuleWriter& writer) : w_(writer) {}

  Expression translate(const OpNode& op);
  /// For ops with several outputs: one expression that gives them all, or one
  /// for each.
  std::vector<std::string> translate_many(const OpNode& op);
  /// The second argument of mx.split for a chunk() or split().
  std::string sections(const OpNode& op);

 private:
  std::vector<std::string> topk(const OpNode& op);
  bool minds_order(trace::ValueId id) const;
  ModuleWriter& w_;
};

/// Emits the rope of an attention (its construction), after checking that it
/// is one mlx-lm's utilities reproduce; a hole otherwise.
void write_rope(
    ModuleWriter& writer,
    const Frame& frame,
    const std::optional<lift::Rope>& queries,
    const std::optional<lift::Rope>& keys);

/// The classes of rope that the file needs beside mlx-lm's, and the function
/// that chooses among them, which its classes then call.
std::string write_rope_classes(Context& context);

}  // namespace portwright::emit
