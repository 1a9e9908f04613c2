#include "cli/proving.h"

#include "base/paths.h"
#include "cli/evaluator_party.h"
#include "report/planted.h"
#include "verify/check.h"
#include "verify/experience.h"

namespace portwright::cli {

using verify::Status;

namespace {

std::string mark(Status status, const Console& console) {
  const auto padded = fmt::format("{:<9}", name(status));
  switch (status) {
    case Status::Pass:
      return console.green(padded);
    case Status::Fail:
      return console.red(padded);
    case Status::Warn:
    case Status::Untrusted:
      return console.yellow(padded);
    case Status::Skipped:
      break;
  }
  return padded;
}

}  // namespace

void show_results(const verify::Results& results, Console& console) {
  for (const auto& check : results.checks) {
    console.say(fmt::format(
        "{} {:<16} {:>8}  {}",
        mark(check.status, console),
        check.name,
        check.value ? verify::short_number(*check.value) : "",
        check.reason));
    if (const auto place = report::place_text(check.place); !place.empty()) {
      console.say(fmt::format("{:<36} at {}", "", place));
    }
  }
  console.say(report::verdict_sentence(results));
  // Of the numbers that are usual the two that tell most.
  for (const auto& check : results.checks) {
    const bool telling = check.name == "logits" || check.rounded;
    const auto& judgement = check.judgement;
    if (!judgement.text.empty() && (telling || judgement.unusual)) {
      const auto line =
          fmt::format("by experience, {} {}", check.name, judgement.text);
      console.say(judgement.unusual ? console.yellow(line) : line);
    }
  }
}

void show_run(const report::ProofRun& run, Console& console) {
  for (const auto& variant : run.variants) {
    if (run.variants.size() > 1) {
      console.say(variant.name + ":");
    }
    show_results(variant.report.results, console);
  }
  if (run.variants.size() > 1) {
    console.say(report::verdict_sentence(run));
  }
}

void show_planted(
    const std::vector<verify::PlantedBug>& bugs,
    Console& console) {
  for (const auto& bug : bugs) {
    const auto padded = fmt::format("{:<10}", name(bug.status));
    console.say(fmt::format(
        "{} {:<28} line {:<4} {:<16} {}",
        bug.status == verify::Catch::NotCaught ? console.red(padded) : padded,
        bug.name,
        bug.line,
        bug.check,
        bug.reason));
  }
  console.say(report::planted_sentence(bugs));
}

namespace {

base::Result<void> judge_by_what_is_known(verify::Results& results) {
  const auto data = base::data_directory();
  if (!data) {
    return tl::unexpected(data.error());
  }
  const auto file = *data / "data" / "experience.json";
  std::error_code ignored;
  if (!std::filesystem::exists(file, ignored)) {
    return {};
  }
  const auto known = verify::Experience::read(file);
  if (!known) {
    return tl::unexpected(known.error());
  }
  verify::judge_by_experience(results, *known);
  return {};
}

}  // namespace

ExitCode exit_code_of(Status verdict) {
  return verdict == Status::Pass || verdict == Status::Warn
             ? ExitCode::Done
             : ExitCode::VerdictFailed;
}

base::Result<verify::Results> prove(
    const std::shared_ptr<verify::Workers>& workers,
    const verify::Subject& subject,
    const verify::BatteryOptions& options,
    const std::filesystem::path& transformers,
    Console& console,
    std::vector<verify::PlantedBug>* planted) {
  const auto session = verify::Session::open(workers, subject);
  if (!session) {
    return tl::unexpected(session.error());
  }
  if (!(*session)->streamed()) {  // it holds the weights in memory
    (*session)->join(
        std::make_unique<EvaluatorParty>(subject.checkpoint, transformers));
  }
  auto results = verify::run_battery(**session, options, console.progress());
  if (results) {
    if (auto judged = judge_by_what_is_known(*results); !judged) {
      return tl::unexpected(judged.error());
    }
  }
  if (planted && results &&
      exit_code_of(results->verdict()) == ExitCode::Done) {
    auto bugs =
        verify::prove_battery(**session, *results, options, console.progress());
    if (!bugs) {
      return tl::unexpected(bugs.error());
    }
    *planted = std::move(*bugs);
  }
  return results;
}

}  // namespace portwright::cli
