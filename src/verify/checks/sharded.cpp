#include "verify/checks/checks.h"

namespace portwright::verify {
namespace {

using nlohmann::json;

/// What the processes answered that share the model in that way; empty where
/// the port cannot be shared so.
Outcome<std::optional<Run>> run_shared(Session& session, const char* way) {
  const auto& plan = session.plan();
  json request = {{"way", way}, {"ids", {plan.ids}}, {"prefill", plan.prefill}};
  if (const auto& hosts = session.subject().hosts) {
    request["hosts"] = {
        {"file", hosts->file.string()},
        {"backend", hosts->backend},
        {"count", hosts->count}};
  }
  // Before the worker's own time is up: it has processes to end.
  request["seconds"] =
      std::chrono::duration<double>(session.timeout()).count() * 0.9;
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

/// A host that cannot be reached says nothing about the port.
Outcome<CheckResult> without_answer(const Trouble& trouble, bool hosts) {
  const bool late = hosts && trouble.kind == "late";
  if (!late && trouble.kind != "launch-failed") {
    return tl::unexpected(trouble);
  }
  CheckResult out;
  out.status = Status::Untrusted;
  out.reason = "mlx.launch failed: " + trouble.message;
  return out;
}

Outcome<CheckResult> check_sharded(Session& session) {
  const auto& hosts = session.subject().hosts;
  if (session.streamed() && !hosts) {
    return skipped(
        "two processes here need the memory of the whole port, which is "
        "streamed; --hosts names other machines");
  }
  const auto where =
      hosts ? fmt::format("{} hosts", hosts->count) : "two processes";
  struct Part {
    const char *way, *tensor, *what;
  };
  constexpr Part kParts[] = {
      {"shard", "logits", "a prefill and steps, each layer on {}"},
      {"pipeline", "logits", "a prefill and steps, the layers on {}"},
      {"pipeline",
       "generated",
       "the same, the prompt for its caches alone, on {}"}};
  auto out = passed();
  std::map<std::string, std::optional<Run>> runs;
  for (const Part& part : kParts) {
    if (!runs.contains(part.way)) {
      auto run = run_shared(session, part.way);
      if (!run) {
        return out.status == Status::Fail
                   ? out
                   : without_answer(run.error(), hosts.has_value());
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
        fmt::format(fmt::runtime(part.what), where));
  }
  const bool none = std::none_of(runs.begin(), runs.end(), [](const auto& run) {
    return run.second.has_value();
  });
  if (none) {
    return skipped("the port has neither shard() nor pipeline()");
  }
  if (hosts && out.status == Status::Pass) {
    out.reason =
        fmt::format("on the {} of {}", where, hosts->file.filename().string());
  }
  return out;
}

}  // namespace

Check sharded_check() {
  Check out;
  out.name = "sharded";
  out.about = "two processes of mlx.launch compute together what torch does";
  out.full_only = true;
  out.streams = true;
  out.copies = 3;
  out.run = check_sharded;
  return out;
}

}  // namespace portwright::verify
