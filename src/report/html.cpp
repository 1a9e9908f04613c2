#include <filesystem>

#include "report/html_parts.h"
#include "report/markdown.h"

namespace portwright::report {

std::string escape(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

namespace {

using verify::CheckResult;

std::string word_of(verify::Status verdict) {
  switch (verdict) {
    case verify::Status::Pass:
      return "proven";
    case verify::Status::Warn:
      return "proven, with reservations";
    case verify::Status::Fail:
      return "wrong";
    default:
      return "not proven";
  }
}

std::string header(const verify::Results& results) {
  const auto verdict = results.verdict();
  return fmt::format(
      "<span class=\"badge {}\">{}</span><h1>{}.</h1>"
      "<p class=\"meta\">{} · {} checks in {:.1f} s</p>",
      name(verdict),
      word_of(verdict),
      escape(verdict_sentence(results)),
      escape(std::filesystem::path(results.model).filename().string()),
      results.checks.size(),
      results.seconds);
}

std::string strip(const verify::Results& results) {
  std::string out = "<nav class=\"strip\">";
  for (const auto& check : results.checks) {
    out += fmt::format(
        "<a class=\"tile {}\" href=\"#check-{}\"><b>{}</b><span>{}{}</span>"
        "</a>",
        name(check.status),
        check.name,
        escape(check.name),
        name(check.status),
        check.value ? " · " + scientific(check.value) : "");
  }
  return out + "</nav>";
}

std::string check_row(const CheckResult& check) {
  const auto place = place_text(check.place);
  return fmt::format(
      "<tr id=\"check-{}\"><td><b>{}</b></td><td class=\"{}\">{}</td>"
      "<td class=\"number\">{}</td><td class=\"number aside\">{}</td>"
      "<td class=\"said\">{}{}{}{}</td>"
      "<td class=\"number aside\">{:.2f} s</td></tr>",
      check.name,
      escape(check.name),
      name(check.status),
      name(check.status),
      scientific(check.value),
      scientific(check.threshold),
      escape(check.reason),
      place.empty() ? ""
                    : "<span class=\"place\">at " + escape(place) + "</span>",
      check.judgement.text.empty()
          ? ""
          : "<span class=\"place\">" + escape(check.judgement.text) + "</span>",
      check.detail.empty() ? ""
                           : "<details><summary>traceback</summary><pre "
                             "class=\"trace\">" +
                                 escape(check.detail) + "</pre></details>",
      check.seconds);
}

std::string table(const verify::Results& results) {
  std::string rows;
  for (const auto& check : results.checks) {
    rows += check_row(check);
  }
  return "<h2>Checks</h2><p class=\"about\">Errors are max|difference| / "
         "max|reference| in float32. What is allowed follows from the "
         "measured noise of float32 and is never above 1e-4.</p>"
         "<div class=\"card\"><table class=\"checks\"><thead><tr><th>check</th>"
         "<th>status</th><th>error</th><th>allowed</th><th></th><th>time</th>"
         "</tr></thead><tbody>" +
         rows + "</tbody></table></div>";
}

std::string footer(const verify::Results& results) {
  std::vector<std::string> parts;
  for (const auto& [key, version] : results.versions) {
    parts.push_back(escape(key + " " + version));
  }
  return fmt::format(
      "<footer>Gold standard: torch in float32 on the same weights. "
      "{}</footer>",
      fmt::join(parts, " · "));
}

}  // namespace

std::string to_html(const Report& report) {
  const auto& results = report.results;
  return fmt::format(
      "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
      "<meta name=\"viewport\" content=\"width=device-width\">"
      "<title>{}: "
      "{}</title><style>{}</style></head><body><main>{}{}{}{}{}{}{}{}{}{}"
      "</main><script>{}</script></body></html>\n",
      escape(std::filesystem::path(results.port).filename().string()),
      word_of(results.verdict()),
      style_sheet(),
      header(results),
      strip(results),
      layer_plot(results),
      position_plots(results),
      influence_maps(results),
      routing_agreement(results),
      dtype_flow(results),
      table(results),
      side_by_side(report),
      footer(results),
      script());
}

}  // namespace portwright::report
