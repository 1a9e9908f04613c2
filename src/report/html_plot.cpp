#include <cmath>

#include "report/html_parts.h"

namespace portwright::report {
namespace {

constexpr double kLowest = -9;  // decades of the scale
constexpr double kHighest = 1;
constexpr double kLimit = 1e-4;

double decade(double value) {
  if (std::isnan(value) || value > 10) {
    return kHighest;
  }
  return value <= 0 ? kLowest
                    : std::clamp(std::log10(value), kLowest, kHighest);
}

struct Frame {
  double left, top, width, height;

  double y(double value) const {
    return top + height * (kHighest - decade(value)) / (kHighest - kLowest);
  }
  double x(size_t i, size_t count) const {
    return left + width * (static_cast<double>(i) + 0.5) /
                      static_cast<double>(std::max<size_t>(count, 1));
  }
};

std::string tooltip(const std::string& what, double value) {
  return fmt::format(
      "<title>{}: {}</title>",
      escape(what),
      std::isfinite(value) ? fmt::format("{:.2e}", value) : "not comparable");
}

std::string grid(const Frame& frame) {
  std::string out;
  for (int e = static_cast<int>(kLowest) + 1; e <= kHighest; e += 2) {
    const double y = frame.y(std::pow(10.0, e));
    out += fmt::format(
        "<line class=\"grid\" x1=\"{}\" x2=\"{}\" y1=\"{:.1f}\" y2=\"{:.1f}\"/>"
        "<text x=\"{}\" y=\"{:.1f}\" text-anchor=\"end\">1e{}</text>",
        frame.left,
        frame.left + frame.width,
        y,
        y,
        frame.left - 8,
        y + 4,
        e);
  }
  return out;
}

/// What lies below the noise says nothing.
std::string noise_band(const Frame& frame, const std::vector<double>& noise) {
  std::string points;
  const double floor = frame.top + frame.height;
  const size_t n = noise.size();
  const double step = frame.width / static_cast<double>(n);
  for (size_t i = 0; i < n; ++i) {
    const double x = frame.left + step * static_cast<double>(i);
    points += fmt::format(
        "{:.1f},{:.1f} {:.1f},{:.1f} ",
        x,
        frame.y(noise[i]),
        x + step,
        frame.y(noise[i]));
  }
  return fmt::format(
      "<polygon class=\"band\" points=\"{}{:.1f},{:.1f} {:.1f},{:.1f}\"/>",
      points,
      frame.left + frame.width,
      floor,
      frame.left,
      floor);
}

std::string
curve(const Frame& frame, const verify::Series& series, const char* name) {
  std::string path;
  std::string dots;
  const size_t n = series.values.size();
  for (size_t i = 0; i < n; ++i) {
    const double x = frame.x(i, n);
    const double y = frame.y(series.values[i]);
    path += fmt::format("{}{:.1f},{:.1f}", i ? " L" : "M", x, y);
    dots += fmt::format(
        "<circle class=\"{}-dot{}\" cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"4\">{}"
        "</circle>",
        name,
        series.values[i] <= kLimit ? "" : " bad",
        x,
        y,
        tooltip(fmt::format("layer {}, {}", i, series.name), series.values[i]));
  }
  return fmt::format(
             "<path class=\"{}\" fill=\"none\" stroke-width=\"1.5\" "
             "opacity=\".7\" d=\"{}\"/>",
             name,
             path) +
         dots;
}

std::string layer_labels(const Frame& frame, size_t count) {
  std::string out;
  const size_t every = count > 40 ? 8 : count > 20 ? 4 : 1;
  for (size_t i = 0; i < count; i += every) {
    out += fmt::format(
        "<text x=\"{:.1f}\" y=\"{}\" text-anchor=\"middle\">{}</text>",
        frame.x(i, count),
        frame.top + frame.height + 18,
        i);
  }
  return out;
}

/// Decades beside a small plot, and its first and last position below it.
std::string small_axes(const Frame& frame, const verify::Series& series) {
  std::string out;
  for (const int e : {-8, -4, 0}) {
    const double y = frame.y(std::pow(10.0, e));
    out += fmt::format(
        "<line class=\"grid\" x1=\"{}\" x2=\"{}\" y1=\"{:.1f}\" y2=\"{:.1f}\"/>"
        "<text x=\"{}\" y=\"{:.1f}\" text-anchor=\"end\">1e{}</text>",
        frame.left,
        frame.left + frame.width,
        y,
        y,
        frame.left - 4,
        y + 3,
        e);
  }
  const double foot = frame.top + frame.height + 11;
  const size_t n = series.values.size();
  out += fmt::format(
      "<text x=\"{:.1f}\" y=\"{}\" text-anchor=\"middle\">0</text>"
      "<text x=\"{}\" y=\"{}\" text-anchor=\"middle\">{}</text>",
      frame.x(0, n),
      foot,
      frame.left + frame.width / 2,
      foot,
      escape(series.axis));
  if (n > 1) {
    out += fmt::format(
        "<text x=\"{:.1f}\" y=\"{}\" text-anchor=\"{}\">{}</text>",
        n > 12 ? frame.left + frame.width : frame.x(n - 1, n),
        foot,
        n > 12 ? "end" : "middle",
        n - 1);
  }
  return out;
}

std::string small_plot(
    const verify::Series& series,
    double threshold,
    const std::vector<double>& noise) {
  const Frame frame{28, 6, 212, 74};
  std::string bars;
  const size_t n = series.values.size();
  const double slot = frame.width / static_cast<double>(n);
  for (size_t i = 0; i < n; ++i) {
    const double y = frame.y(series.values[i]);
    bars += fmt::format(
        "<rect class=\"bar{}\" x=\"{:.2f}\" y=\"{:.1f}\" width=\"{:.2f}\" "
        "height=\"{:.1f}\">{}</rect>",
        series.values[i] <= kLimit ? "" : " over",
        frame.left + slot * static_cast<double>(i),
        y,
        std::max(slot - (n > 120 ? 0.0 : 1.0), 0.5),
        std::max(frame.top + frame.height - y, 1.0),
        tooltip(fmt::format("{} {}", series.axis, i), series.values[i]));
  }
  const double y = frame.y(threshold);
  return fmt::format(
      "<svg viewBox=\"0 0 240 94\" role=\"img\" aria-label=\"relative error at "
      "each {}\">{}{}{}<line class=\"limit\" x1=\"{}\" x2=\"{}\" "
      "y1=\"{:.1f}\" y2=\"{:.1f}\"/></svg>",
      escape(series.axis),
      noise.empty() ? "" : noise_band(frame, {noise.back()}),
      small_axes(frame, series),
      bars,
      frame.left,
      frame.left + frame.width,
      y,
      y);
}

}  // namespace

std::string layer_plot(const verify::Results& results) {
  const auto* check = results.find("layers");
  if (!check || check->series.size() < 2 || check->series[0].values.empty()) {
    return "";
  }
  const Frame frame{58, 10, 890, 230};
  auto noise = results.noise;
  if (!noise.empty()) {
    noise.pop_back();  // the last is of the logits
  }
  std::string svg = "<svg viewBox=\"0 0 960 274\" role=\"img\" "
                    "aria-label=\"relative error of each layer\">";
  if (!noise.empty()) {
    svg += noise_band(frame, noise);
  }
  svg += grid(frame);
  const double y = frame.y(kLimit);
  svg += fmt::format(
      "<line class=\"limit\" x1=\"{}\" x2=\"{}\" y1=\"{:.1f}\" y2=\"{:.1f}\"/>"
      "<text class=\"limit-text\" x=\"{}\" y=\"{:.1f}\" "
      "text-anchor=\"end\">never above</text>",
      frame.left,
      frame.left + frame.width,
      y,
      y,
      frame.left + frame.width,
      y - 5);
  svg += curve(frame, check->series[1], "chained");
  svg += curve(frame, check->series[0], "fed");
  svg += layer_labels(frame, check->series[0].values.size());
  svg += fmt::format(
      "<text x=\"{}\" y=\"{}\" text-anchor=\"middle\">layer</text></svg>",
      frame.left + frame.width / 2,
      272);
  return "<h2>Layers</h2><p class=\"about\">Relative error of every decoder "
         "layer's output: fed torch's own input, so that errors do not add "
         "up, and in sequence, as the model runs.</p>"
         "<div class=\"card plot\"><div class=\"legend\">"
         "<span><i style=\"background:var(--blue)\"></i>fed torch's "
         "input</span><span><i style=\"background:var(--violet)\"></i>in "
         "sequence</span><span><i style=\"background:var(--band)\"></i>noise "
         "of float32</span></div>" +
         svg + "</div>";
}

std::string position_plots(const verify::Results& results) {
  std::string figures;
  for (const auto& check : results.checks) {
    for (const auto& series : check.series) {
      if (series.axis == "layer" || series.values.empty()) {
        continue;
      }
      const double worst =
          *std::max_element(series.values.begin(), series.values.end());
      figures += fmt::format(
          "<figure class=\"card\"><figcaption>{}{}<span>{} {}</span>"
          "</figcaption>{}</figure>",
          escape(series.name),
          check.name == "batch" ? " of the batch" : "",
          std::isfinite(worst) ? fmt::format("{:.1e} over", worst) : "over",
          series.values.size() == 1
              ? "1 " + series.axis
              : fmt::format("{} {}s", series.values.size(), series.axis),
          small_plot(series, check.threshold.value_or(kLimit), results.noise));
    }
  }
  if (figures.empty()) {
    return "";
  }
  return "<h2>Positions</h2><p class=\"about\">The largest relative error of "
         "the logits at each position or step; the dashed line is what is "
         "allowed, the band the noise of float32.</p><div class=\"small\">" +
         figures + "</div>";
}

}  // namespace portwright::report
