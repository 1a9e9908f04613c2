#pragma once

#include <set>
#include <string>
#include <vector>

#include "emit/predicates.h"

namespace portwright::emit {

/// True when a condition on these fields can change what is computed, and is
/// not the rotary embedding's own affair.
bool matters(const Reads& reads);

bool is_softmax(const trace::Item& item);

/// Unless the list refuses the same already.
void add_guard(std::vector<Guard>& guards, Guard guard);

/// Refuses configs whose field is not `value`, a Python literal, and notes that
/// ModelArgs has the field.
void serve_one_value(
    Context& context,
    const std::string& field,
    const std::string& value);
/// The same of a field that is true or false.
void serve_one_side(Context& context, const std::string& field, bool value);

/// One guard for every condition on config fields that the model's own file
/// decided the same way in all drafts, and for every field that selected a
/// function by its name. `assured` are fields that ModelArgs always gives a
/// value. The guards' fields are noted in the first draft.
std::vector<Guard> find_guards(
    const std::vector<Context*>& drafts,
    const std::set<std::string>& assured);

}  // namespace portwright::emit
