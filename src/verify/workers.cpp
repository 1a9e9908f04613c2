#include "verify/workers.h"

namespace portwright::verify {

using nlohmann::json;
namespace fs = std::filesystem;

base::Result<WorkerProcess> start_reference(const Environment& environment) {
  return WorkerProcess::start(
      {"reference",
       environment.reference_python.empty() ? environment.python
                                            : environment.reference_python,
       "portwright.workers.reference_main",
       {},
       environment.python_path});
}

base::Result<std::shared_ptr<Workers>> Workers::start(
    const Environment& environment,
    const std::optional<fs::path>& mlx_lm) {
  auto reference = start_reference(environment);
  if (!reference) {
    return tl::unexpected(reference.error());
  }
  // A tiny checkpoint known already needs no torch; a comparison does.
  (void)reference->post("warm", json::object());
  std::vector<std::string> arguments;
  if (mlx_lm) {
    arguments = {"--mlx-lm", mlx_lm->string()};
  }
  auto candidate = WorkerProcess::start(
      {"candidate",
       environment.python,
       "portwright.workers.candidate_main",
       arguments,
       environment.python_path});
  if (!candidate) {
    return tl::unexpected(candidate.error());
  }
  (void)candidate->post("warm", json::object());
  return std::make_shared<Workers>(Workers{
      std::move(*reference), std::move(*candidate), environment.timeout});
}

std::map<std::string, std::string> versions_of(Workers& workers) {
  std::map<std::string, std::string> out;
  for (WorkerProcess* worker : {&workers.reference, &workers.candidate}) {
    const auto reply = worker->request("ping", json::object(), workers.timeout);
    if (!reply) {
      continue;
    }
    for (const auto& [key, value] : reply->items()) {
      if (value.is_string()) {
        out[key] = value.get<std::string>();
      }
    }
  }
  return out;
}

Outcome<json> synthesize(
    WorkerProcess& reference,
    const std::string& what,
    const fs::path& folder,
    const SynthOptions& options,
    base::Milliseconds timeout) {
  json arguments = {
      {"what", what},
      {"folder", folder.string()},
      {"overrides", options.overrides},
      {"flat_rope", options.flat_rope},
      {"hub_form", options.hub_form},
      {"trust_remote_code", options.trust_remote_code}};
  if (options.seed >= 0) {
    arguments["seed"] = options.seed;
  }
  return reference.request("synth", std::move(arguments), timeout);
}

}  // namespace portwright::verify
