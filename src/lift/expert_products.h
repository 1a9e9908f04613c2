#pragma once

#include <optional>
#include <vector>

#include "lift/experts.h"

namespace portwright::lift {

/// One product of an expert, as it was recorded.
struct ExpertStep {
  Experts::Product product;
  ValueId operand = 0, result = 0;
};

/// All operations below a frame, those of its submodules too, in order.
std::vector<const OpNode*> all_operations(const Frame& frame);

/// The operand of a parameter of the operation; 0 when it is no tensor.
ValueId operand_of(const OpNode& op, size_t parameter);

/// The product with one expert's part of a parameter below the frame, which the
/// operation is.
std::optional<ExpertStep>
product_of(const Trace& trace, const Frame& frame, const OpNode& op);

/// "experts.*.up.weight" for a product with the weight of a module in a list;
/// "" for others.
std::string
listed_weight(const Trace& trace, const Frame& frame, const OpNode& op);

/// The products of the first expert that rows chose, biases taken in.
std::vector<ExpertStep> steps_of(
    const Trace& trace,
    const Frame& frame,
    const std::vector<const OpNode*>& ops);

/// How many values an index can take, as the source spreads it; 0 when it does
/// not.
int classes_of(const std::vector<const OpNode*>& ops);

/// Reads an expert's products and what lies between them; `ops` are searched
/// for the parts of a product that holds gates and ups.
bool match_products(
    const std::vector<const OpNode*>& ops,
    const std::vector<ExpertStep>& steps,
    Experts& found);

}  // namespace portwright::lift
