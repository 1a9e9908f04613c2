#pragma once

#include <chrono>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/subprocess.h"
#include "verify/trouble.h"

namespace portwright::verify {

/// One Python worker: JSON lines over its pipes (docs/workers.md).
struct WorkerCommand {
  /// How messages call it: "reference", "candidate".
  std::string name;
  std::string python;
  std::string module;
  std::vector<std::string> arguments;
  /// The folder that holds the package `portwright`.
  std::filesystem::path python_path;
};

class WorkerProcess {
 public:
  /// Starts the process; does not wait for it to answer.
  static base::Result<WorkerProcess> start(const WorkerCommand& command);

  /// Sends a request without waiting. The number is for `wait`.
  Outcome<int> post(const std::string& op, nlohmann::json arguments);

  /// The result of a posted request. A worker that does not answer in time is
  /// killed; this and a death are `World` troubles with the end of stderr.
  Outcome<nlohmann::json> wait(int number, base::Milliseconds timeout);

  Outcome<nlohmann::json> request(
      const std::string& op,
      nlohmann::json arguments,
      base::Milliseconds timeout = std::chrono::minutes(10));

  const std::string& name() const {
    return name_;
  }
  pid_t pid() const {
    return process_.pid();
  }

 private:
  WorkerProcess(std::string name, base::Subprocess process)
      : name_(std::move(name)), process_(std::move(process)) {}
  tl::unexpected<Trouble> lost(const std::string& what);

  std::string name_;
  base::Subprocess process_;
  int next_ = 1;
  std::map<int, nlohmann::json> answers_;
};

}  // namespace portwright::verify
