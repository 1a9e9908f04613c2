// Answers JSON lines, one object each, with one pair of warm workers:
//   {"synth": TYPE, "folder": DIR, "flat_rope": true, "hub_form": true} -> {"ok": true}
//   {"checkpoint": DIR, "port": FILE, "checks": [...], "quick": true,
//    "trust_remote_code": true}
//     -> {"ok": true, "results": {...}}
// A failure of the world is {"ok": false, "error": TEXT}.

#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <string>

#include "base/interrupt.h"
#include "report/report.h"
#include "verify/battery.h"

namespace {

namespace fs = std::filesystem;
namespace verify = portwright::verify;
using nlohmann::json;

json failure(const std::string& message) {
  return {{"ok", false}, {"error", message}};
}

json synth(verify::Workers& workers, const json& request) {
  verify::SynthOptions options;
  options.flat_rope = request.value("flat_rope", false);
  options.hub_form = request.value("hub_form", false);
  options.overrides = request.value("overrides", json::object());
  const auto made = verify::synthesize(
      workers.reference,
      request["synth"].get<std::string>(),
      request["folder"].get<std::string>(),
      options);
  return made ? json{{"ok", true}} : failure(made.error().message);
}

json run(const std::shared_ptr<verify::Workers>& workers, const json& request) {
  verify::Subject subject;
  subject.checkpoint = request["checkpoint"].get<std::string>();
  if (request.contains("port")) {
    subject.port = request["port"].get<std::string>();
  }
  subject.trust_remote_code = request.value("trust_remote_code", false);
  const auto session = verify::Session::open(workers, subject);
  if (!session) {
    return failure(session.error().message);
  }
  verify::BatteryOptions options;
  options.only = request.value("checks", options.only);
  if (request.value("quick", false)) {
    options.mode = verify::Mode::Quick;
  }
  const auto progress = portwright::base::silent_progress();
  const auto results = verify::run_battery(**session, options, *progress);
  if (!results) {
    return failure(results.error().message);
  }
  const auto written = portwright::report::to_json(*results).dump();
  return {{"ok", true}, {"results", json::parse(written)}};
}

}  // namespace

int main() {
  portwright::base::exit_on_interrupt();
  const char* python = std::getenv("PORTWRIGHT_PYTHON");
  const char* home = std::getenv("PORTWRIGHT_HOME");
  if (!python || !home) {
    std::cerr << "PORTWRIGHT_PYTHON and PORTWRIGHT_HOME are needed\n";
    return 2;
  }
  verify::Environment environment;
  environment.python = python;
  environment.python_path = fs::path(home).parent_path();
  const auto workers = verify::Workers::start(environment);
  if (!workers) {
    std::cerr << workers.error().message << '\n';
    return 4;
  }
  for (std::string line; std::getline(std::cin, line);) {
    const auto request = json::parse(line);
    const auto answer = request.contains("synth") ? synth(**workers, request)
                                                  : run(*workers, request);
    std::cout << answer.dump() << std::endl;
  }
  return 0;
}
