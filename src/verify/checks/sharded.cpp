#include "verify/checks/checks.h"

namespace portwright::verify {
namespace {

using nlohmann::json;

/// What two processes answered that share the model in that way; empty where
/// the port cannot be shared so.
Outcome<std::optional<Run>> run_shared(Session& session, const char* way) {
  const auto& plan = session.plan();
  json request = {{"way", way}, {"ids", {plan.ids}}, {"prefill", plan.prefill}};
  if (session.subject().port) {
    request["port"] = session.subject().port->string();
  }
  request["model"] = session.candidate().selected();
  const auto file = session.scratch() / (std::string(way) + ".safetensors");
  request["out"] = file.string();
  const auto answer = session.candidate().request("sharded", request);
  if (!answer) {
    return tl::unexpected(answer.error());
  }
  if (!answer->value("sharded", false)) {
    return std::nullopt;
  }
  auto port = Run::open(file.string());
  if (!port) {
    return tl::unexpected(port.error());
  }
  return std::optional(std::move(*port));
}

Outcome<CheckResult> check_sharded(Session& session) {
  struct Part {
    const char *way, *tensor, *what;
  };
  constexpr Part kParts[] = {
      {"shard", "logits", "a prefill and steps, each layer on two processes"},
      {"pipeline",
       "logits",
       "a prefill and steps, the layers on two processes"},
      {"pipeline", "generated", "the same, the prompt for its caches alone"}};
  auto out = passed();
  std::map<std::string, std::optional<Run>> runs;
  for (const Part& part : kParts) {
    if (!runs.contains(part.way)) {
      auto run = run_shared(session, part.way);
      if (!run) {
        return tl::unexpected(run.error());
      }
      runs.emplace(part.way, std::move(*run));
    }
    const auto& run = runs.at(part.way);
    if (!run) {
      continue;
    }
    const auto whole = session.reference_decode();
    if (!whole) {
      return tl::unexpected(whole.error());
    }
    judge(
        out,
        run->find(part.tensor),
        (*whole)->find("logits"),
        session.logits_threshold(),
        part.what);
  }
  const bool none = std::none_of(runs.begin(), runs.end(), [](const auto& run) {
    return run.second.has_value();
  });
  return none ? skipped("the port has neither shard() nor pipeline()") : out;
}

}  // namespace

Check sharded_check() {
  Check out;
  out.name = "sharded";
  out.about = "two processes of mlx.launch compute together what torch does";
  out.full_only = true;
  out.run = check_sharded;
  return out;
}

}  // namespace portwright::verify
