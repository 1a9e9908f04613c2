#include "base/paths.h"
#include "report/archive.h"
#include "report/html_parts.h"
#include "report/markdown.h"

namespace portwright::report {

using Json = nlohmann::ordered_json;
using verify::Status;

namespace {

/// The first variant that ended as the whole run did.
const Variant& deciding(const ProofRun& run) {
  const auto verdict = run.verdict();
  for (const auto& variant : run.variants) {
    if (variant.report.results.verdict() == verdict) {
      return variant;
    }
  }
  return run.variants.front();
}

double seconds_of(const ProofRun& run) {
  double out = 0;
  for (const auto& variant : run.variants) {
    out += variant.report.results.seconds;
  }
  return out;
}

int checks_that(const verify::Results& results, Status status) {
  return static_cast<int>(std::count_if(
      results.checks.begin(), results.checks.end(), [&](const auto& check) {
        return check.status == status;
      }));
}

std::string counts(const verify::Results& results) {
  std::vector<std::string> parts;
  for (const Status status :
       {Status::Pass,
        Status::Warn,
        Status::Fail,
        Status::Untrusted,
        Status::Skipped}) {
    if (const int n = checks_that(results, status)) {
      parts.push_back(fmt::format("{} {}", n, name(status)));
    }
  }
  if (!results.pending.empty()) {
    parts.push_back(fmt::format("{} pending", results.pending.size()));
  }
  return fmt::format("{}", fmt::join(parts, ", "));
}

}  // namespace

Status ProofRun::verdict() const {
  bool untrusted = variants.empty();
  bool warned = false;
  for (const auto& variant : variants) {
    const auto one = variant.report.results.verdict();
    if (one == Status::Fail) {
      return one;
    }
    untrusted |= one == Status::Untrusted;
    warned |= one == Status::Warn;
  }
  return untrusted ? Status::Untrusted : warned ? Status::Warn : Status::Pass;
}

Json to_json(const ProofRun& run) {
  if (run.variants.size() == 1) {
    return to_json(run.variants.front().report.results);
  }
  Json variants = Json::array();
  Json checks = Json::array();
  Json versions = Json::object();
  for (const auto& variant : run.variants) {
    Json one = to_json(variant.report.results);
    for (auto check : one["checks"]) {
      check["variant"] = variant.name;
      checks.push_back(std::move(check));
    }
    one.erase("checks");
    versions.update(one["versions"]);
    Json entry = {{"name", variant.name}};
    entry.update(one);
    variants.push_back(std::move(entry));
  }
  return {
      {"schema", verify::kResultsSchema},
      {"verdict", name(run.verdict())},
      {"variants", variants},
      {"checks", checks},
      {"versions", versions},
      {"seconds", seconds_of(run)}};
}

std::string verdict_sentence(const ProofRun& run) {
  const auto& variant = deciding(run);
  const auto sentence = verdict_sentence(variant.report.results);
  return run.variants.size() == 1
             ? sentence
             : fmt::format(
                   "{} of {} variants: {}",
                   std::count_if(
                       run.variants.begin(),
                       run.variants.end(),
                       [&](const Variant& other) {
                         return other.report.results.verdict() == run.verdict();
                       }),
                   run.variants.size(),
                   sentence);
}

std::string to_markdown(const ProofRun& run) {
  if (run.variants.size() == 1) {
    return to_markdown(run.variants.front().report);
  }
  std::string out = fmt::format(
      "# Verdict: {}\n\n{}.\n\n| variant | verdict | checks |\n"
      "| --- | --- | --- |\n",
      name(run.verdict()),
      verdict_sentence(run));
  for (const auto& variant : run.variants) {
    const auto& results = variant.report.results;
    out += fmt::format(
        "| {} | {} | {} |\n",
        cell(variant.name),
        name(results.verdict()),
        counts(results));
  }
  out += variants_markdown(run);
  for (const auto& variant : run.variants) {
    const auto text = to_markdown(variant.report);
    out += fmt::format(
        "\n## {}\n{}", variant.name, text.substr(text.find('\n') + 1));
  }
  return out;
}

std::string to_html(const ProofRun& run, const std::string& archive) {
  if (run.variants.size() == 1) {
    return to_html(run.variants.front().report);
  }
  std::string rows;
  for (const auto& variant : run.variants) {
    const auto& results = variant.report.results;
    rows += fmt::format(
        "<tr><td><a href=\"{4}/variants/{0}/report.html\">{0}</a></td>"
        "<td class=\"{1}\">{1}</td><td>{2}</td><td>{3}</td></tr>",
        escape(variant.name),
        name(results.verdict()),
        counts(results),
        escape(verdict_sentence(results)),
        escape(archive));
  }
  return fmt::format(
      "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
      "<meta name=\"viewport\" content=\"width=device-width\">"
      "<title>{}</title><style>{}</style></head><body><main><h1>{}.</h1>"
      "<div class=\"card\"><table><thead><tr><th>variant</th><th>verdict</th>"
      "<th>checks</th><th></th></tr></thead><tbody>{}</tbody></table></div>{}"
      "</main></body></html>\n",
      escape(run.model_type),
      style_sheet(),
      escape(verdict_sentence(run)),
      rows,
      variants_table(run));
}

base::Result<void> write_run(
    const ProofRun& run,
    const std::filesystem::path& directory,
    const std::filesystem::path& archive) {
  const auto relative = archive.lexically_relative(directory).string();
  const std::vector<std::pair<const char*, std::string>> files = {
      {"results.json", to_json(run).dump(2) + "\n"},
      {"report.md", to_markdown(run)},
      {"report.html", to_html(run, relative)}};
  for (const auto& [name, text] : files) {
    if (auto written = base::write_file(directory / name, text); !written) {
      return written;
    }
  }
  return {};
}

}  // namespace portwright::report
