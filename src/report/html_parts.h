#pragma once

#include <string>
#include <string_view>

#include "report/report.h"

namespace portwright::report {

/// `text` for HTML content and attributes.
std::string escape(std::string_view text);

std::string_view style_sheet();
std::string_view script();

/// Errors of every decoder layer on a log scale, over the noise band; empty
/// when the layers were not measured.
std::string layer_plot(const verify::Results& results);

/// One small plot for each series of a check over positions or steps.
std::string position_plots(const verify::Results& results);

/// The port beside the source, linked lines lighting up together; empty when
/// neither file can be read.
std::string side_by_side(const Report& report);

/// One line of Python with its tokens marked up.
std::string highlight(std::string_view line);

}  // namespace portwright::report
