#pragma once

#include "emit/predicates.h"

namespace portwright::emit {

/// The file of the model's own source: of its class, or of the first base of
/// one that the library puts together while it runs.
const base::SourceFile* own_file(const Evaluation& evaluation);

/// The conditions with provenance decided in the model's own source, by a
/// module and what it calls itself; `branches` in the order of evaluation.
std::vector<trace::Branch> branches_of(
    const Evaluation& evaluation,
    const Frame& frame);
/// ... by the whole model and its construction.
std::vector<trace::Branch> all_branches(const Evaluation& evaluation);

/// The classes of several drafts, each of one recording with a class for every
/// module instance, as one class by name: where instances differ, conditions
/// of the source decide. Throws a Hole when none of them tells two apart.
/// Fields that the conditions read are noted in the first draft.
std::vector<ClassText> merge_classes(
    Predicates& predicates,
    const std::vector<Context*>& drafts);

/// A class needs the layer index when its __init__ reads it, or hands it on to
/// one that does: puts it where kIndexMark and kLayerMark stand.
void pass_layer_index(std::vector<ClassText>& classes);

}  // namespace portwright::emit
