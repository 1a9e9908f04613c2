#include "verify/worker_process.h"

namespace portwright::verify {

using nlohmann::json;

base::Result<WorkerProcess> WorkerProcess::start(const WorkerCommand& command) {
  base::Command child;
  child.arguments = {command.python, "-u", "-m", command.module};
  child.arguments.insert(
      child.arguments.end(),
      command.arguments.begin(),
      command.arguments.end());
  child.environment = {
      {"PYTHONPATH", command.python_path.string()},
      {"PYTHONDONTWRITEBYTECODE", "1"}};
  auto process = base::Subprocess::spawn(child);
  if (!process) {
    return base::fail(
        fmt::format(
            "cannot start the {} worker: {}",
            command.name,
            process.error().message),
        process.error().hint);
  }
  return WorkerProcess(command.name, std::move(*process));
}

tl::unexpected<Trouble> WorkerProcess::lost(const std::string& what) {
  return tl::unexpected(Trouble{
      Trouble::Where::World,
      "worker-lost",
      fmt::format("the {} worker {}", name_, what),
      process_.stderr_tail(),
      name_});
}

Outcome<int> WorkerProcess::post(const std::string& op, json arguments) {
  const int number = next_++;
  arguments["id"] = number;
  arguments["op"] = op;
  const auto sent =
      process_.write(arguments.dump() + "\n", std::chrono::seconds(30));
  if (!sent) {
    return lost(
        (process_.running() ? "takes no requests: " : "died: ") +
        sent.error().message);
  }
  return number;
}

Outcome<json> WorkerProcess::wait(int number, base::Milliseconds timeout) {
  while (!answers_.contains(number)) {
    auto line = process_.read_line(timeout);
    if (!line) {
      const bool alive = process_.running();
      process_.terminate(base::Milliseconds(100));
      return lost(
          alive ? fmt::format(
                      "did not answer in {} s",
                      std::chrono::duration<double>(timeout).count())
                : "died: " + line.error().message);
    }
    auto answer = json::parse(*line, nullptr, false);
    if (!answer.is_object() || !answer["id"].is_number_integer()) {
      return lost("broke the protocol: " + line->substr(0, 200));
    }
    const int id = answer["id"].get<int>();
    answers_[id] = std::move(answer);
  }
  json answer = std::move(answers_.extract(number).mapped());
  if (answer.value("ok", false)) {
    return std::move(answer["result"]);
  }
  const json error = answer.value("error", json::object());
  return tl::unexpected(Trouble{
      Trouble::Where::Model,
      error.value("kind", "error"),
      error.value("message", "no message"),
      error.value("traceback_tail", ""),
      name_,
      error.value("module", ""),
      error.value("in_cache", false)});
}

Outcome<json> WorkerProcess::request(
    const std::string& op,
    json arguments,
    base::Milliseconds timeout) {
  const auto number = post(op, std::move(arguments));
  if (!number) {
    return tl::unexpected(number.error());
  }
  return wait(*number, timeout);
}

}  // namespace portwright::verify
