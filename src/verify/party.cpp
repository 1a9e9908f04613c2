#include "verify/party.h"

namespace portwright::verify {

using nlohmann::json;

namespace {

std::optional<int> line_of(const json& module, const char* key) {
  const auto it = module.find(key);
  if (it == module.end() || !it->is_number_integer()) {
    return std::nullopt;
  }
  return it->get<int>();
}

std::string text_of(const json& module, const char* key) {
  const auto it = module.find(key);
  return it != module.end() && it->is_string() ? it->get<std::string>() : "";
}

ModuleSources parse_modules(const json& modules) {
  ModuleSources out;
  for (const auto& [path, module] : modules.items()) {
    out[path] = {
        text_of(module, "class"),
        text_of(module, "file"),
        line_of(module, "line"),
        line_of(module, "call"),
        module.value("in_port", false)};
  }
  return out;
}

}  // namespace

WorkerParty::WorkerParty(
    WorkerProcess& process,
    std::filesystem::path scratch,
    base::Milliseconds timeout)
    : process_(process), scratch_(std::move(scratch)), timeout_(timeout) {}

Outcome<int> WorkerParty::begin_load(const std::string& model, json arguments) {
  arguments["model"] = model;
  return process_.post("load", std::move(arguments));
}

Outcome<json> WorkerParty::finish_load(int number) {
  auto loaded = process_.wait(number, timeout_);
  if (loaded && loaded->contains("modules")) {
    modules_ = parse_modules(loaded->value("modules", json::object()));
  }
  return loaded;
}

Outcome<json> WorkerParty::request(const std::string& op, json arguments) {
  const auto key = op + arguments.dump();
  if (const auto it = answers_.find(key); remembers_ && it != answers_.end()) {
    return it->second;
  }
  auto answer = process_.request(op, std::move(arguments), timeout_);
  if (remembers_ && answer) {
    answers_[key] = *answer;
  }
  return answer;
}

Outcome<Run>
WorkerParty::tensors(const std::string& op, json arguments, json* facts) {
  const auto key = op + model_ + arguments.dump();
  if (const auto it = runs_.find(key); remembers_ && it != runs_.end()) {
    if (facts) {
      *facts = it->second.second;
    }
    return it->second.first;
  }
  const auto file =
      scratch_ / fmt::format("{}-{}.safetensors", name(), ++files_);
  arguments["model"] = model_;
  arguments["out"] = file.string();
  auto reply = process_.request(op, std::move(arguments), timeout_);
  if (!reply) {
    return tl::unexpected(reply.error());
  }
  auto run = Run::open(file.string());
  if (run) {
    run->order = reply->value("order", std::vector<std::string>());
    run->dtypes = reply->value("dtypes", std::map<std::string, std::string>());
    run->emulated = reply->value("emulated", false);
  }
  if (run && remembers_) {
    runs_[key] = {*run, *reply};
  }
  if (facts) {
    *facts = std::move(*reply);
  }
  return run;
}

Outcome<Run> WorkerParty::run(const RunRequest& request) {
  json arguments = {{"ids", request.ids}};
  if (!request.capture.empty()) {
    arguments["capture"] = request.capture;
  }
  if (request.prefill) {
    arguments["prefill"] = request.prefill;
    if (request.chunk) {
      arguments["chunk"] = request.chunk;
    }
    if (!request.cache_sizes.empty()) {
      arguments["sizes"] = request.cache_sizes;
    }
  }
  extend(arguments);
  return tensors(request.prefill ? "decode" : "forward", arguments);
}

void CandidateParty::extend(json& request) {
  if (from_) {
    request["inject"] = from_->path();
    request["feed"] = feed_;
  }
}

Outcome<Run> CandidateParty::run_fed(
    const RunRequest& request,
    const Run& from,
    std::map<std::string, std::string> feed) {
  from_ = &from;
  feed_ = std::move(feed);
  auto out = run(request);
  from_ = nullptr;
  return out;
}

}  // namespace portwright::verify
