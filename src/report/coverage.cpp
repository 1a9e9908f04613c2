#include "report/coverage.h"

#include <set>

#include "report/html_parts.h"
#include "report/markdown.h"

namespace portwright::report {
namespace {

constexpr int kSchema = 1;

std::vector<std::string> parts_of(const Coverage& coverage) {
  std::set<std::string> parts;
  for (const auto& row : coverage.rows) {
    for (const auto& [part, error] : row.errors) {
      parts.insert(part);
    }
  }
  return {parts.begin(), parts.end()};
}

/// Empty where the part was not compared.
std::string error_text(const CoverageRow& row, const std::string& part) {
  const auto found = row.errors.find(part);
  if (found == row.errors.end()) {
    return "";
  }
  return found->second ? fmt::format("{:.1e}", *found->second) : "none";
}

bool is_column(const std::string& key) {
  return key == "status" || key == "reason" || key == "errors" ||
         key == "seconds";
}

/// Shows the rows that hold every word of the search field.
constexpr std::string_view kSearch = R"js(
const field = document.querySelector('input[type=search]');
const rows = [...document.querySelectorAll('tbody tr')];
field.addEventListener('input', () => {
  const words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
  for (const row of rows) {
    const text = row.textContent.toLowerCase();
    row.hidden = !words.every(word => text.includes(word));
  }
});
)js";

std::string versions_text(const Coverage& coverage) {
  std::vector<std::string> out;
  for (const auto& [name, version] : coverage.versions) {
    out.push_back(name + " " + version);
  }
  return fmt::format("{}", fmt::join(out, ", "));
}

}  // namespace

std::string_view verdict_of(const std::string& status) {
  if (status == "equal" || status == "proven" || status == "ported") {
    return "pass";
  }
  if (status == "refused") {
    return "warn";
  }
  return status == "no reference" || status == "no checkpoint" ? "skipped"
                                                               : "fail";
}

std::map<std::string, int> Coverage::summary() const {
  std::map<std::string, int> counts;
  for (const auto& row : rows) {
    ++counts[row.status];
  }
  return counts;
}

std::string summary_text(const Coverage& coverage) {
  std::vector<std::string> out;
  for (const auto& [status, count] : coverage.summary()) {
    out.push_back(fmt::format("{} {}", count, status));
  }
  return fmt::format("{}", fmt::join(out, ", "));
}

nlohmann::ordered_json to_json(const Coverage& coverage) {
  using Json = nlohmann::ordered_json;
  Json types = Json::object();
  for (const auto& row : coverage.rows) {
    Json errors = Json::object();
    for (const auto& [part, error] : row.errors) {
      errors[part] = error ? Json(*error) : Json(nullptr);
    }
    types[row.name] = {
        {"status", row.status},
        {"reason", row.reason},
        {"errors", errors},
        {"seconds", row.seconds}};
    types[row.name].update(row.details);
  }
  return {
      {"schema", kSchema},
      {"title", coverage.title},
      {"about", coverage.about},
      {"versions", coverage.versions},
      {"summary", coverage.summary()},
      {"types", types}};
}

base::Result<Coverage> coverage_from_json(const nlohmann::json& json) {
  try {
    Coverage out;
    if (json.at("schema") != kSchema) {
      return base::fail("a coverage table of another schema");
    }
    json.at("title").get_to(out.title);
    json.at("about").get_to(out.about);
    json.at("versions").get_to(out.versions);
    for (const auto& [name, type] : json.at("types").items()) {
      CoverageRow row{name, type.at("status"), type.at("reason")};
      type.at("seconds").get_to(row.seconds);
      for (const auto& [key, value] : type.items()) {
        if (!is_column(key)) {
          row.details[key] = value;
        }
      }
      for (const auto& [part, error] : type.at("errors").items()) {
        row.errors[part] =
            error.is_null() ? std::nullopt : std::optional(error.get<double>());
      }
      out.rows.push_back(std::move(row));
    }
    return out;
  } catch (const nlohmann::json::exception& fault) {
    return base::fail("no coverage table", fault.what());
  }
}

std::string to_markdown(const Coverage& coverage) {
  const auto parts = parts_of(coverage);
  std::string out = fmt::format(
      "# {}\n\n{}\n\n{} types: {}.\n{}.\n\n| type | status |",
      coverage.title,
      coverage.about,
      coverage.rows.size(),
      summary_text(coverage),
      versions_text(coverage));
  for (const auto& part : parts) {
    out += fmt::format(" {} |", part);
  }
  out += " time | |\n| --- | --- |";
  for (size_t i = 0; i < parts.size(); ++i) {
    out += " --- |";
  }
  out += " --- | --- |\n";
  for (const auto& row : coverage.rows) {
    out += fmt::format("| {} | {} |", row.name, row.status);
    for (const auto& part : parts) {
      out += fmt::format(" {} |", error_text(row, part));
    }
    out += fmt::format(" {:.1f} s | {} |\n", row.seconds, cell(row.reason));
  }
  return out;
}

std::string to_html(const Coverage& coverage) {
  const auto parts = parts_of(coverage);
  std::string head, body, tiles;
  for (const auto& part : parts) {
    head += fmt::format("<th>{}</th>", escape(part));
  }
  for (const auto& [status, count] : coverage.summary()) {
    tiles += fmt::format(
        "<span class=\"tile {}\"><b>{}</b><span>{}</span></span>",
        verdict_of(status),
        count,
        escape(status));
  }
  for (const auto& row : coverage.rows) {
    body += fmt::format(
        "<tr><td><b>{}</b></td><td class=\"{}\">{}</td>",
        escape(row.name),
        verdict_of(row.status),
        escape(row.status));
    for (const auto& part : parts) {
      body +=
          fmt::format("<td class=\"number\">{}</td>", error_text(row, part));
    }
    body += fmt::format(
        "<td class=\"number\">{:.1f} s</td><td>{}</td></tr>",
        row.seconds,
        escape(row.reason));
  }
  return fmt::format(
      "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
      "<meta name=\"viewport\" content=\"width=device-width\">"
      "<title>{0}</title><style>{1}</style></head><body><main><h1>{0}</h1>"
      "<p class=\"meta\">{2}</p><nav class=\"strip\">{3}</nav>"
      "<h2>Types</h2><p><input type=\"search\" placeholder=\"type, status or "
      "reason\" aria-label=\"search\"></p><div "
      "class=\"card\"><table><thead><tr><th>type</th>"
      "<th>status</th>{4}<th>time</th><th></th></tr></thead><tbody>{5}</tbody>"
      "</table></div><footer>{6}</footer></main><script>{7}</script></body>"
      "</html>\n",
      escape(coverage.title),
      style_sheet(),
      escape(coverage.about),
      tiles,
      head,
      body,
      escape(versions_text(coverage)),
      kSearch);
}

}  // namespace portwright::report
