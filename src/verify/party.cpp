#include "verify/party.h"

#include "base/digest.h"

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
        line_of(module, "answer"),
        module.value("in_port", false)};
  }
  return out;
}

std::map<std::string, std::vector<Answer>> parse_answers(const json& modules) {
  std::map<std::string, std::vector<Answer>> out;
  for (const auto& [path, answers] : modules.items()) {
    for (const auto& answer : answers) {
      out[path].push_back(
          {answer.at(0).get<std::string>(),
           answer.at(1).get<std::vector<int64_t>>()});
    }
  }
  return out;
}

/// Shape, largest value and digest of the logits in a run.
json logits_facts(const Run& run) {
  json out = json::object();
  const auto logits = run.find("logits");
  if (!logits) {
    return out;
  }
  float largest = 0;
  for (const float value : logits->values) {
    largest = std::max(largest, std::abs(value));
  }
  const std::string_view bytes(
      reinterpret_cast<const char*>(logits->values.data()),
      logits->values.size() * sizeof(float));
  out["logits"] = {
      {"shape", logits->shape},
      {"largest", largest},
      {"digest", base::digest_of(bytes)}};
  return out;
}

/// A request or an answer without what is long or of this run only.
json essence(const json& all) {
  if (!all.is_object()) {
    return all;
  }
  json out = json::object();
  for (const auto& [key, value] : all.items()) {
    if (key == "feed") {
      out[key] = std::to_string(value.size()) + " inputs of torch's modules";
    } else if (
        key != "out" && key != "inject" && key != "order" && key != "dtypes" &&
        key != "tensors" && key != "modules" && key != "answers") {
      out[key] = value;
    }
  }
  return out;
}

json exchange(
    const std::string& side,
    const std::string& op,
    const json& arguments,
    const Outcome<json>& answer) {
  json out = {{"side", side}, {"op", op}, {"arguments", essence(arguments)}};
  if (answer) {
    out["answer"] = essence(*answer);
  } else {
    out["error"] = {
        {"kind", answer.error().kind}, {"message", answer.error().message}};
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
  if (log_) {
    log_->push_back(
        {{"side", name()}, {"op", "load"}, {"arguments", arguments}});
  }
  return process_.post("load", std::move(arguments));
}

Outcome<json> WorkerParty::finish_load(int number) {
  auto loaded = process_.wait(number, timeout_);
  if (loaded && loaded->contains("modules")) {
    modules_ = parse_modules(loaded->value("modules", json::object()));
  }
  return loaded;
}

void WorkerParty::take_modules(const json& modules) {
  modules_ = parse_modules(modules);
}

Outcome<json> WorkerParty::request(const std::string& op, json arguments) {
  const auto key = op + arguments.dump();
  if (const auto it = answers_.find(key); remembers_ && it != answers_.end()) {
    return it->second;
  }
  auto answer = process_.request(op, arguments, timeout_);
  if (log_) {
    log_->push_back(exchange(name(), op, arguments, answer));
  }
  if (remembers_ && answer) {
    answers_[key] = *answer;
  }
  return answer;
}

Outcome<Run>
WorkerParty::tensors(const std::string& op, json arguments, json* facts) {
  const auto key = op + model_ + arguments.dump();
  raising_run_.reset();
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
  auto reply = process_.request(op, arguments, timeout_);
  if (log_) {
    log_->push_back(exchange(name(), op, arguments, reply));
  }
  if (!reply) {
    return tl::unexpected(reply.error());
  }
  auto run = Run::open(file.string());
  if (run && log_) {
    log_->back()["tensors"] = logits_facts(*run);
  }
  if (run) {
    run->order = reply->value("order", std::vector<std::string>());
    run->dtypes = reply->value("dtypes", std::map<std::string, std::string>());
    run->emulated = reply->value("emulated", false);
    run->answers = parse_answers(reply->value("answers", json::object()));
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
    if (request.pieces) {
      arguments["pieces"] = request.pieces;
    }
    if (!request.cache_sizes.empty()) {
      arguments["sizes"] = request.cache_sizes;
    }
  }
  if (!request.functions.empty()) {
    arguments["functions"] = request.functions;
  }
  if (!request.unmasked.empty()) {
    arguments["unmasked"] = request.unmasked;
  }
  if (request.masked) {
    arguments["masked"] = {request.masked->first, request.masked->second};
  }
  extend(arguments);
  auto out = tensors(request.prefill ? "decode" : "forward", arguments);
  raising_run_ = out ? std::nullopt : std::optional(request);
  return out;
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
