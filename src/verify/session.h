#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "base/paths.h"
#include "base/progress.h"
#include "base/result.h"
#include "verify/party.h"
#include "verify/plan.h"
#include "verify/results.h"
#include "verify/workers.h"

namespace portwright::verify {

/// Machines that share a port, as mlx.launch reads them.
struct Hosts {
  std::filesystem::path file;
  /// "ring", "jaccl", ...
  std::string backend;
  int count = 0;
};

struct Subject {
  /// config.json and model*.safetensors.
  std::filesystem::path checkpoint;
  /// The file under test; without it what mlx_lm itself would load.
  std::optional<std::filesystem::path> port;
  bool trust_remote_code = false;
  /// How the weights are held; streamed weights of torch go to `scratch`.
  std::optional<MemoryPlan> memory;
  std::filesystem::path scratch;
  std::optional<Hosts> hosts;
  /// By line of the port, where it is known: file and line of the source.
  std::map<int, std::pair<std::string, int>> source_map;
};

/// How far float32 itself is from exact: for every decoder layer and the
/// logits, the larger of torch float32 against float64 and of MLX against
/// itself with its reductions reordered.
struct Noise {
  std::vector<double> layers;
  double logits = 0;
};

/// Both workers with their models loaded once, and the runs that several
/// checks share. Not for use from two threads.
class Session {
 public:
  /// Reads the config; the models are loaded by `load`.
  static base::Result<std::unique_ptr<Session>> open(
      std::shared_ptr<Workers> workers,
      const Subject& subject);

  /// Loads both models, at once. A `Model` trouble says which side failed:
  /// see `reference_trouble` and `candidate_trouble`.
  Outcome<void> load();

  /// Runs `use` while the port is loaded in bfloat16, and selected.
  Outcome<void> in_bfloat16(const std::function<Outcome<void>()>& use);

  /// Runs `use` with both models in another config that the same weights fit,
  /// and with prompts for it. A trouble of the candidate may be that the port
  /// refuses such configs.
  Outcome<void> in_form(
      const nlohmann::json& config,
      const std::function<Outcome<void>()>& use);

  /// Ends the far prompt of the plan where torch itself raises, if it takes
  /// that of the plan's length; `raised` says what it raised there. False where
  /// it goes no farther than the other prompts.
  Outcome<bool> end_far(const Trouble& raised);

  /// Puts another file in the port's place. The reference, its runs and the
  /// noise stay; `candidate_trouble` says whether the file loads. The Trouble
  /// is the world's.
  Outcome<void> exchange_port(const std::filesystem::path& port);

  WorkerParty& reference() {
    return *reference_;
  }
  CandidateParty& candidate() {
    return *candidate_;
  }
  /// Of each request.
  base::Milliseconds timeout() const {
    return workers_->timeout;
  }
  const Subject& subject() const {
    return subject_;
  }
  bool streamed() const {
    return subject_.memory && subject_.memory->streamed;
  }
  const Plan& plan() const {
    return plan_;
  }
  /// Of the checkpoint's tokenizer, where it has one: those in which no token's
  /// experts hang on rounding. One, if the weights are streamed.
  const std::vector<TextPrompt>& texts() const {
    return texts_;
  }
  const nlohmann::json& config() const {
    return config_;
  }
  const std::optional<Trouble>& reference_trouble() const {
    return reference_trouble_;
  }
  const std::optional<Trouble>& candidate_trouble() const {
    return candidate_trouble_;
  }
  /// The decoder layers of either side, in order; equal in number or empty.
  const std::vector<std::string>& reference_layers() const {
    return reference_layers_;
  }
  const std::vector<std::string>& candidate_layers() const {
    return candidate_layers_;
  }
  /// Class names of the caches that the port makes.
  const std::vector<std::string>& caches() const {
    return caches_;
  }
  /// What the port's layers keep, and whether they choose experts, in words.
  std::vector<std::string> layer_kinds() const;
  /// The file that the port came from; empty when unknown.
  const std::string& port_file() const {
    return port_file_;
  }
  std::map<std::string, std::string> versions();
  /// What the workers were asked since the last call, as CheckResult holds it.
  nlohmann::json take_exchanges();
  /// A shared run by its name ("reference-prefill", ...) if it has been made.
  const Run* made(const std::string& name) const;
  /// For files of this session; gone with it.
  const std::filesystem::path& scratch() const {
    return scratch_->path();
  }

  // Shared runs, computed when first asked for, with every module captured.
  Outcome<const Run*> reference_prefill();
  Outcome<const Run*> candidate_prefill();
  Outcome<const Run*> reference_decode();
  Outcome<const Run*> candidate_decode();
  /// Every module of the reference in bfloat16 over the plan's prompt: what
  /// goes in ("in:PATH"), what comes out ("low:PATH"), and the same computed in
  /// float32 ("exact:PATH").
  Outcome<const Run*> reference_in_bfloat16();

  /// The three of them behind one door: a third party, if any, may join here.
  void join(std::unique_ptr<Party> third) {
    third_ = std::move(third);
  }
  Party* third() {
    return third_.get();
  }

  const Noise& noise();
  /// What a float32 result may differ by: a multiple of its noise, and never
  /// more than 1e-4.
  double logits_threshold();
  double layer_threshold(size_t layer);

 private:
  Session() = default;
  nlohmann::json load_request() const;
  nlohmann::json reference_request() const;
  void take_port(const Outcome<nlohmann::json>& loaded);
  Outcome<void> choose_prompts(const std::vector<int64_t>& windows);
  Outcome<void> keep_dtypes();
  Outcome<void> take_texts();
  Outcome<const Run*>
  shared(const std::string& key, bool candidate, bool decode);
  void measure_noise();
  void
  noise_of(const Run& a, const Run& b, const std::vector<std::string>& layers);

  Subject subject_;
  Plan plan_;
  std::vector<TextPrompt> texts_;
  nlohmann::json config_;
  std::optional<base::TemporaryDirectory> scratch_;
  std::shared_ptr<Workers> workers_;
  std::unique_ptr<WorkerParty> reference_;
  std::unique_ptr<CandidateParty> candidate_;
  std::unique_ptr<Party> third_;
  std::optional<Trouble> reference_trouble_;
  std::optional<Trouble> candidate_trouble_;
  std::vector<std::string> reference_layers_;
  std::vector<std::string> candidate_layers_;
  std::vector<std::string> caches_;
  std::string port_file_;
  int64_t parameters_ = 0;
  /// By path: what torch computes with in another dtype than float32.
  nlohmann::json kept_ = nlohmann::json::object();
  nlohmann::json exchanges_ = nlohmann::json::array();
  std::map<std::string, Run> runs_;
  std::optional<Run> reference_in_bfloat16_;
  std::optional<Noise> noise_;
};

/// The paths of `count` decoder layers among module paths: the numbered
/// siblings P.0 ... P.(count-1) with the most modules below them.
std::vector<std::string> find_layers(
    const ModuleSources& modules,
    size_t count);

/// min(1e-4, 32 times the noise).
double threshold_for(double noise);

inline constexpr double kNeverAbove = 1e-4;

}  // namespace portwright::verify
