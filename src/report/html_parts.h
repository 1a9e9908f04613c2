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

/// Which positions depend on which: a small grid for each layers' map, what
/// differs between the sides marked.
std::string influence_maps(const verify::Results& results);

/// Of every router the tokens that go to the experts torch sends them to.
std::string routing_agreement(const verify::Results& results);

/// What goes in and out of modules that do not keep to bfloat16, leaks marked.
std::string dtype_flow(const verify::Results& results);

/// The port beside the source, linked lines lighting up together; empty when
/// neither file can be read.
std::string side_by_side(const Report& report);

/// One line of Python with its tokens marked up.
std::string highlight(std::string_view line);

}  // namespace portwright::report
