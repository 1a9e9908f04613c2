#include "verify/checks/checks.h"

namespace portwright::verify {
namespace {

using nlohmann::json;

struct Leak {
  std::string module;
  std::string dtype;
};

std::string module_of(const std::string& key) {
  return key.substr(key.find(':') + 1, key.find('#') - key.find(':') - 1);
}

/// Modules that take bfloat16 and give float32, in the order of their calls.
std::vector<Leak> find_leaks(const Run& run) {
  std::vector<Leak> out;
  for (const auto& path : run.order) {
    const auto in = run.dtypes.find("in:" + path);
    const auto result = run.dtypes.find("out:" + path);
    if (in != run.dtypes.end() && result != run.dtypes.end() &&
        in->second == "bfloat16" && result->second == "float32") {
      out.push_back({module_of("out:" + path), result->second});
    }
  }
  return out;
}

/// The first leak, seen from inside: calls are listed before what they call.
Leak innermost(const std::vector<Leak>& leaks) {
  if (leaks.empty()) {
    return {"", "float32"};
  }
  Leak out = leaks.front();
  for (const auto& leak : leaks) {
    if (leak.module.starts_with(out.module + ".")) {
      out = leak;
    }
  }
  return out;
}

bool is_layer(Session& session, const std::string& module) {
  const auto& layers = session.candidate_layers();
  return std::find(layers.begin(), layers.end(), module) != layers.end();
}

CheckResult judge_leaks(Session& session, const Run& run) {
  const auto logits = run.dtypes.find("logits");
  const bool wide = logits != run.dtypes.end() && logits->second == "float32";
  const auto leaks = find_leaks(run);
  const auto layer =
      std::find_if(leaks.begin(), leaks.end(), [&](const Leak& leak) {
        return is_layer(session, leak.module);
      });
  if (layer == leaks.end() && !wide && leaks.empty()) {
    return passed();
  }
  const Leak first = innermost(leaks);
  CheckResult out;
  if (layer != leaks.end() || wide) {
    out = failed(fmt::format(
        "a bfloat16 model computes in float32 from {} on",
        first.module.empty() ? "its head" : first.module));
  } else {
    out = warned(fmt::format(
        "{} takes bfloat16 and gives float32 (its layer casts back)",
        first.module));
  }
  out.place.module = first.module;
  for (size_t i = 0; i < session.candidate_layers().size(); ++i) {
    const auto& path = session.candidate_layers()[i];
    if (first.module == path || first.module.starts_with(path + ".")) {
      out.place.layer = static_cast<int>(i);
      out.place.module =
          first.module == path ? "" : first.module.substr(path.size() + 1);
    }
  }
  return out;
}

Outcome<CheckResult> run(Session& session) {
  auto& candidate = session.candidate();
  json arguments = {
      {"checkpoint", session.subject().checkpoint.string()},
      {"dtype", "bfloat16"}};
  if (session.subject().port) {
    arguments["port"] = session.subject().port->string();
  }
  const auto number = candidate.begin_load("bfloat16", arguments);
  if (!number) {
    return tl::unexpected(number.error());
  }
  if (const auto loaded = candidate.finish_load(*number); !loaded) {
    return tl::unexpected(loaded.error());
  }
  candidate.select("bfloat16");
  RunRequest request;
  request.ids = {session.plan().ids};
  request.prefill = session.plan().prefill;
  request.capture = ".*";
  // A plain pass, and a cached one: states may leak where prompts do not.
  const auto decoded = candidate.run(request);
  request.prefill = 0;
  const auto plain = candidate.run(request);
  candidate.select("model");
  (void)candidate.request("unload", {{"model", "bfloat16"}});
  for (const auto* outcome : {&plain, &decoded}) {
    if (!*outcome) {
      const auto& trouble = outcome->error();
      // MLX's CPU backend has gather_mm in float32 only.
      if (trouble.message.find("GatherMM") != std::string::npos ||
          trouble.message.find("gather_mm") != std::string::npos) {
        return skipped("experts in bfloat16 do not run on MLX's CPU backend");
      }
      return tl::unexpected(trouble);
    }
  }
  auto out = judge_leaks(session, *plain);
  const auto logits = decoded->dtypes.find("logits");
  if (out.status == Status::Pass && logits != decoded->dtypes.end() &&
      logits->second != "bfloat16") {
    out = failed("a cached step of a bfloat16 model gives " + logits->second);
  }
  return out;
}

}  // namespace

Check dtype_check() {
  Check out;
  out.name = "dtype";
  out.about = "a bfloat16 model stays bfloat16, inside too";
  out.run = run;
  return out;
}

}  // namespace portwright::verify
