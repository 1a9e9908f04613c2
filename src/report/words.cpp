#include <filesystem>

#include "report/report.h"

namespace portwright::report {

using verify::CheckResult;
using verify::Status;

namespace {

size_t count(const verify::Results& results, Status status) {
  return static_cast<size_t>(std::count_if(
      results.checks.begin(),
      results.checks.end(),
      [&](const CheckResult& check) { return check.status == status; }));
}

const CheckResult* first(const verify::Results& results, Status status) {
  for (const auto& check : results.checks) {
    if (check.status == status) {
      return &check;
    }
  }
  return nullptr;
}

/// The check with a place says more than one without.
const CheckResult* most_telling(const verify::Results& results, Status status) {
  for (const auto& check : results.checks) {
    if (check.status == status &&
        (check.place.layer || !check.place.module.empty())) {
      return &check;
    }
  }
  return first(results, status);
}

std::string checks_text(size_t n) {
  return n == 1 ? "1 check" : fmt::format("{} checks", n);
}

std::string subject_of(const verify::Results& results) {
  return results.port.empty()
             ? "the port"
             : std::filesystem::path(results.port).filename().string();
}

std::string told(const CheckResult& check) {
  const auto place = place_text(check.place);
  return fmt::format(
      "{}: {}{}",
      check.name,
      check.reason.empty() ? "no reason given" : check.reason,
      place.empty() ? "" : " (" + place + ")");
}

/// The place first: it is what the reader wants to know.
std::string failure_sentence(
    const verify::Results& results,
    const std::string& subject,
    size_t skipped) {
  const auto& check = *most_telling(results, Status::Fail);
  const auto place = place_text(check.place);
  return fmt::format(
      "{} is wrong{}{}: {} ({} of {} fail)",
      subject,
      place.empty() ? "" : " at ",
      place,
      check.reason.empty() ? check.name : check.reason,
      count(results, Status::Fail),
      checks_text(results.checks.size() - skipped));
}

}  // namespace

std::string place_text(const verify::Place& place) {
  std::vector<std::string> parts;
  if (place.layer) {
    parts.push_back(fmt::format("layer {}", *place.layer));
  }
  if (!place.module.empty()) {
    parts.push_back(place.module);
  }
  if (!place.tensor.empty() && place.tensor != "output") {
    parts.push_back(place.tensor);
  }
  if (place.position) {
    parts.push_back(fmt::format("position {}", *place.position));
  }
  if (place.port_line) {
    parts.push_back(fmt::format(
        "{}:{}",
        std::filesystem::path(place.port_file).filename().string(),
        *place.port_line));
  }
  if (place.made_line) {
    parts.push_back(fmt::format("made in line {}", *place.made_line));
  }
  if (place.given_line) {
    parts.push_back(fmt::format("of what line {} makes", *place.given_line));
  }
  return fmt::format("{}", fmt::join(parts, ", "));
}

std::string verdict_sentence(const verify::Results& results) {
  const auto subject = subject_of(results);
  const size_t pass = count(results, Status::Pass);
  const size_t skipped = count(results, Status::Skipped);
  const auto beside =
      skipped ? fmt::format(", {} skipped", skipped) : std::string();
  switch (results.verdict()) {
    case Status::Pass: {
      double worst = 0;
      for (const auto& check : results.checks) {
        worst = std::max(worst, check.value.value_or(0));
      }
      return fmt::format(
          "{} computes what transformers computes: {} passed{}, largest "
          "relative error {:.1e}",
          subject,
          checks_text(pass),
          beside,
          worst);
    }
    case Status::Warn:
      return fmt::format(
          "{} holds with reservations: {}",
          subject,
          told(*most_telling(results, Status::Warn)));
    case Status::Fail:
      return failure_sentence(results, subject, skipped);
    default:
      break;
  }
  const auto* why = first(results, Status::Untrusted);
  if (!why && !results.pending.empty()) {
    return fmt::format(
        "nothing is proven about {} yet: {} of {} have run",
        subject,
        results.checks.size(),
        checks_text(results.checks.size() + results.pending.size()));
  }
  return fmt::format(
      "nothing is proven about {}: {}",
      subject,
      why ? told(*why) : "no check could run");
}

}  // namespace portwright::report
