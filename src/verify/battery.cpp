#include "verify/battery.h"

#include <chrono>

#include "verify/place.h"

namespace portwright::verify {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

/// The port raised: that is its answer. The reference raised: nothing can be
/// said about the port.
CheckResult raised(const Trouble& trouble, Session& session) {
  const bool port = trouble.by == "candidate";
  CheckResult out;
  out.status = port ? Status::Fail : Status::Untrusted;
  out.reason = fmt::format(
      "{} raised {}: {}",
      port ? "the port" : "the reference",
      trouble.kind,
      trouble.message);
  out.detail = trouble.detail;
  if (port) {
    out.place = place_of_exception(session, trouble.detail);
  }
  return out;
}

Outcome<CheckResult> run_check(Session& session, const Check& check) {
  if (check.needs_models) {
    // Without a gold standard nothing can be said, whatever the port did.
    const bool reference = session.reference_trouble().has_value();
    const auto& trouble =
        reference ? session.reference_trouble() : session.candidate_trouble();
    if (trouble) {
      return check.name == "logits"
                 ? raised(*trouble, session)
                 : skipped(
                       reference ? "the reference does not load"
                                 : "the port does not load");
    }
  }
  return check.run(session);
}

}  // namespace

bool is_chosen(const Check& check, const BatteryOptions& options) {
  if (!options.only.empty()) {
    return std::find(options.only.begin(), options.only.end(), check.name) !=
           options.only.end();
  }
  switch (options.mode) {
    case Mode::Quick:
      return check.quick;
    case Mode::Normal:
      return !check.full_only;
    case Mode::Full:
      return true;
  }
  return false;
}

base::Result<CheckResult> judge_by(const Check& check, Session& session) {
  const auto began = Clock::now();
  auto result = run_check(session, check);
  if (!result && result.error().where == Trouble::Where::World) {
    return tl::unexpected(error_of(result.error()));
  }
  auto out = result ? std::move(*result) : raised(result.error(), session);
  name_source_line(session, out.place);
  out.name = check.name;
  out.seconds = seconds_since(began);
  return out;
}

std::vector<std::string> unknown_checks(const std::vector<std::string>& names) {
  std::vector<std::string> out;
  for (const auto& name : names) {
    const auto& all = all_checks();
    if (std::none_of(all.begin(), all.end(), [&](const Check& check) {
          return check.name == name;
        })) {
      out.push_back(name);
    }
  }
  return out;
}

base::Result<Results> run_battery(
    Session& session,
    const BatteryOptions& options,
    base::Progress& progress) {
  const auto start = Clock::now();
  Results out;
  out.model = session.subject().checkpoint.string();
  progress.begin("loading both models");
  if (const auto loaded = session.load(); !loaded) {
    return tl::unexpected(error_of(loaded.error()));
  }
  out.port = session.port_file();
  if (const auto& modules = session.reference().modules();
      modules.contains("")) {
    out.source = modules.at("").file;
  }
  for (const Check& check : all_checks()) {
    if (!is_chosen(check, options)) {
      continue;
    }
    progress.begin(check.name);
    auto entry = judge_by(check, session);
    if (!entry) {
      return tl::unexpected(entry.error());
    }
    out.checks.push_back(std::move(*entry));
  }
  if (!session.candidate_trouble() && !session.reference_trouble()) {
    out.noise = session.noise().layers;
    out.noise.push_back(session.noise().logits);
  }
  out.versions = session.versions();
  out.seconds = seconds_since(start);
  progress.end();
  return out;
}

}  // namespace portwright::verify
