#pragma once

#include <string>
#include <string_view>

#include "verify/results.h"

namespace portwright::report {

// What the figures of HTML and Markdown say alike.

/// The figures of the one check that has them, or nothing.
const verify::Figures* figures_of(
    const verify::Results& results,
    std::string_view check);

/// "layers 0–3, 5".
std::string layers_text(const std::vector<int>& layers);

/// "layers 0, 1", "after cached steps".
std::string name_of(const verify::InfluenceMap& map);

/// "both sides alike", "22 differ".
std::string agreement_of(const verify::InfluenceMap& map);

/// The module, or the whole layer.
std::string name_of(const verify::DtypeFlow& flow);

/// "18 others take and give bfloat16 alone."; empty for none.
std::string plain_text(size_t count);

/// The figures as lists and tables of Markdown, each under its heading.
std::string figures_markdown(const verify::Results& results);

}  // namespace portwright::report
