#pragma once

#include "emit/emit.h"
#include "emit/module_writer.h"

namespace portwright::emit {

/// constructor_of(); where the module cannot be translated the file gets a stub
/// of its class instead, with what __init__ can be told to make, and the
/// context a hole.
std::string constructor_or_gap(
    Context& context,
    const Frame& call,
    const std::vector<ValueId>& outputs);

/// The stub of a whole model that could not be written, and the hole's task.
ClassText model_stub(Context& context, const diagnostics::Diagnostic& hole);

/// Where the instances of a class cannot be merged: one of each class, and of
/// the one that `hole` names a stub.
std::vector<ClassText> one_of_each(
    Context& context,
    const diagnostics::Diagnostic& hole);

/// What filling the gaps of a file comes to, one a class: call it before
/// instances are merged, whose classes it reads.
std::vector<Task> tasks_of(const Context& context);

}  // namespace portwright::emit
