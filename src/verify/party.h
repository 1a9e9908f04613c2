#pragma once

#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "verify/arrays.h"
#include "verify/plan.h"
#include "verify/trouble.h"
#include "verify/worker_process.h"

namespace portwright::verify {

/// One evaluation. Without `prefill` the whole of `ids` (B, T) at once: logits
/// (B, T, V). With it the first tokens at once (in pieces of `chunk`), then
/// cached single steps: logits (B, T - prefill + 1, V).
struct RunRequest {
  std::vector<Ids> ids;
  int prefill = 0;
  int chunk = 0;
  /// Regular expression over module paths whose inputs and outputs are kept.
  std::string capture;
  /// Of a port: layers, as text, whose cache is exchanged for a rotating one of
  /// that size, or for one that keeps everything (0).
  std::map<std::string, int> cache_sizes;
  /// Of torch: its prefill is captured in pieces of that size as well, as if
  /// each had been evaluated by itself ("chunk0/", "chunk1/", ...).
  int pieces = 0;
  /// Of torch: a module inside which functions of its file are recorded too
  /// (`given:N/I` and `made:N/I` of the N-th call).
  std::string functions = {};
  /// Of a port: modules that are given no mask.
  std::vector<std::string> unmasked = {};
  /// Of a port that keeps caches: a module that is given the mask which the
  /// cache of its layer asks for.
  std::optional<std::pair<std::string, int>> masked = {};
};

/// Whoever can compute the model. Torch and the port are two; our evaluator
/// may join as the third, and then two agreeing name the culprit.
class Party {
 public:
  virtual ~Party() = default;
  virtual const std::string& name() const = 0;
  virtual Outcome<Run> run(const RunRequest& request) = 0;
};

/// A module of a loaded model: where its class is written.
struct ModuleSource {
  std::string class_name;
  std::string file;
  std::optional<int> line;
  /// Of __call__, where it is known.
  std::optional<int> call_line;
  /// Of the function of the same file whose answer __call__ returns.
  std::optional<int> answer_line;
  bool in_port = false;
};
using ModuleSources = std::map<std::string, ModuleSource>;

/// A party behind a worker, which must outlive it.
class WorkerParty : public Party {
 public:
  /// Runs go to files in `scratch`. The timeout is for each request.
  WorkerParty(
      WorkerProcess& process,
      std::filesystem::path scratch,
      base::Milliseconds timeout);

  const std::string& name() const override {
    return process_.name();
  }
  Outcome<Run> run(const RunRequest& request) override;

  /// Posts a load; `finish_load` waits for it and keeps the module table.
  Outcome<int> begin_load(const std::string& model, nlohmann::json arguments);
  Outcome<nlohmann::json> finish_load(int number);
  /// The same for a model beside the one under test.
  Outcome<nlohmann::json> finish_load_aside(int number) {
    return process_.wait(number, timeout_);
  }
  Outcome<nlohmann::json> request(
      const std::string& op,
      nlohmann::json arguments);

  /// A request that writes tensors, opened; `facts` gets the rest of the
  /// answer.
  Outcome<Run> tensors(
      const std::string& op,
      nlohmann::json arguments,
      nlohmann::json* facts = nullptr);

  /// Answers a request that was answered before from memory: for a side that
  /// stays as it is while the other changes.
  void remember() {
    remembers_ = true;
  }

  /// Requests and their answers are added to `log`, which must outlive this.
  void record_to(nlohmann::json& log) {
    log_ = &log;
  }

  /// The model that `run` uses; several may be loaded.
  void select(const std::string& model) {
    model_ = model;
  }
  const std::string& selected() const {
    return model_;
  }
  const ModuleSources& modules() const {
    return modules_;
  }
  /// Of a model that does not load.
  void take_modules(const nlohmann::json& modules);
  void take_modules(ModuleSources modules) {
    modules_ = std::move(modules);
  }
  /// The last run, where it raised.
  const std::optional<RunRequest>& raising_run() const {
    return raising_run_;
  }

 protected:
  /// Adds to the request what this side alone understands.
  virtual void extend(nlohmann::json&) {}

 private:
  WorkerProcess& process_;
  std::filesystem::path scratch_;
  base::Milliseconds timeout_;
  std::string model_ = "model";
  ModuleSources modules_;
  int files_ = 0;
  bool remembers_ = false;
  nlohmann::json* log_ = nullptr;
  std::map<std::string, std::pair<Run, nlohmann::json>> runs_;
  std::map<std::string, nlohmann::json> answers_;
  std::optional<RunRequest> raising_run_;
};

/// The port in mlx_lm. Its modules' inputs can be replaced by another run's.
class CandidateParty : public WorkerParty {
 public:
  using WorkerParty::WorkerParty;

  /// Keys of this side's modules (`in:PATH`, `stepN/in:PATH`) to keys of
  /// `from`.
  Outcome<Run> run_fed(
      const RunRequest& request,
      const Run& from,
      std::map<std::string, std::string> feed);

 protected:
  void extend(nlohmann::json& request) override;

 private:
  const Run* from_ = nullptr;
  std::map<std::string, std::string> feed_;
};

}  // namespace portwright::verify
