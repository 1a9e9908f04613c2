#include "report/markdown.h"

#include "report/figures.h"
#include "report/report.h"

namespace portwright::report {

std::string cell(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '|') {
      out += "\\|";
    } else {
      out += c == '\n' ? ' ' : c;
    }
  }
  return out;
}

std::string scientific(const std::optional<double>& value) {
  return value ? fmt::format("{:.1e}", *value) : "";
}

namespace {

/// What is usual, of every number that was measured often enough.
std::string judgements(const verify::Results& results) {
  std::string out;
  for (const auto& check : results.checks) {
    if (!check.judgement.text.empty()) {
      out += fmt::format("- {} {}\n", check.name, check.judgement.text);
    }
  }
  return out.empty() ? "" : "\nBy experience:\n\n" + out;
}

}  // namespace

std::string to_markdown(const Report& report) {
  const auto& results = report.results;
  std::string out = fmt::format(
      "# Verdict: {}\n\n{}.\n\n",
      name(results.verdict()),
      verdict_sentence(results));
  out += "| check | status | error | allowed | place | reason |\n";
  out += "| --- | --- | --- | --- | --- | --- |\n";
  for (const auto& check : results.checks) {
    out += fmt::format(
        "| {} | {} | {} | {} | {} | {} |\n",
        check.name,
        name(check.status),
        scientific(check.value),
        scientific(check.threshold),
        cell(place_text(check.place)),
        cell(check.reason));
  }
  out += judgements(results);
  if (!results.pending.empty()) {
    out += fmt::format(
        "\nNot run: {}. `verify --resume` goes on.\n",
        fmt::join(results.pending, ", "));
  }
  out += "\nErrors are max|difference| / max|reference| in float32";
  if (!results.noise.empty()) {
    out += fmt::format(
        "; the noise floor of the logits is {:.1e}", results.noise.back());
  }
  out += ".\n\n";
  if (results.memory && results.memory->streamed) {
    out += "Memory: " + results.memory->text + ".\n\n";
  }
  for (const auto& [key, version] : results.versions) {
    out += fmt::format("- {} {}\n", key, version);
  }
  out += figures_markdown(results);
  for (const auto& check : results.checks) {
    if (!check.detail.empty()) {
      out += fmt::format(
          "\n## What {} met\n\n```\n{}\n```\n", check.name, check.detail);
    }
  }
  return out;
}

}  // namespace portwright::report
