#include "cli/verification.h"

#include "base/machine.h"
#include "cli/proving.h"
#include "cli/run_facts.h"

namespace portwright::cli {

namespace fs = std::filesystem;
using verify::Status;

namespace {

base::Error cannot_be_had(
    const std::string& model,
    const verify::Trouble& trouble) {
  const bool hub = model.find('/') != std::string::npos;
  const bool world = trouble.where == verify::Trouble::Where::World;
  return {
      trouble.message,
      world ? trouble.detail
      : hub
          ? "without the network only local directories, model types and what "
            "the Hub's cache holds work; `hf download` brings a repository"
          : "a local directory or a model type of the installed transformers "
            "is meant"};
}

/// A directory as it is, a repository from the Hub's cache, a type made anew.
base::Result<Brought> bring(
    const ManifestVariant& variant,
    const fs::path& folder,
    bool trust_remote_code,
    verify::Workers& workers) {
  std::error_code ignored;
  const bool changed = !variant.set.empty() || variant.seed >= 0;
  if (fs::is_directory(variant.model, ignored) && !changed) {
    return Brought{fs::absolute(variant.model)};
  }
  if (variant.model.find('/') != std::string::npos && !changed) {
    const auto found = workers.reference.request(
        "locate", {{"what", variant.model}}, workers.timeout);
    return found ? base::Result<Brought>(
                       Brought{found->at("folder").get<std::string>()})
                 : tl::unexpected(cannot_be_had(variant.model, found.error()));
  }
  verify::SynthOptions options;
  options.seed = variant.seed;
  options.overrides = variant.set;
  options.trust_remote_code = trust_remote_code;
  const auto made = verify::synthesize(
      workers.reference, variant.model, folder, options, workers.timeout);
  if (!made) {
    return tl::unexpected(cannot_be_had(variant.model, made.error()));
  }
  return Brought{folder};
}

/// One call of the battery after another, and what is kept of it.
class Proving {
 public:
  Proving(
      const std::shared_ptr<verify::Workers>& workers,
      const Verification& asked,
      const Common& common,
      Console& console)
      : workers_(workers),
        asked_(asked),
        common_(common),
        console_(console),
        timeout_(workers->timeout) {}

  base::Result<Verified> run() {
    for (const auto& step :
         {&Proving::bring_all, &Proving::begin, &Proving::prove_all}) {
      if (auto done = (this->*step)(); !done) {
        return tl::unexpected(done.error());
      }
    }
    if (auto kept = report::finish_archive(out_.run, out_.archive); !kept) {
      return tl::unexpected(kept.error());
    }
    return std::move(out_);
  }

 private:
  const std::vector<ManifestVariant>& variants() const {
    return asked_.manifest.variants;
  }

  base::Result<void> bring_all() {
    const bool several = variants().size() > 1;
    for (const auto& variant : variants()) {
      const auto ready = asked_.checkpoints.find(variant.name);
      if (ready != asked_.checkpoints.end()) {
        brought_.push_back({ready->second});
        if (auto planned = plan_memory_of(brought_.back(), several); !planned) {
          return planned;
        }
        continue;
      }
      const auto folder =
          asked_.directory /
          (several ? fs::path("checkpoints") / variant.name : "checkpoint");
      auto one =
          bring(variant, folder, asked_.manifest.trust_remote_code, *workers_);
      if (!one && !several) {
        return tl::unexpected(one.error());
      }
      brought_.push_back(
          one ? std::move(*one) : Brought{.missing = one.error().message});
      if (auto planned = plan_memory_of(brought_.back(), several); !planned) {
        return planned;
      }
    }
    return {};
  }

  const fs::path& scratch() const {
    return asked_.scratch.empty() ? asked_.directory : asked_.scratch;
  }

  verify::Room room() const {
    std::error_code unknown;
    const auto disk = fs::space(scratch(), unknown);
    verify::Room out;
    out.memory = asked_.memory > 0 ? asked_.memory
                                   : static_cast<double>(base::usable_memory());
    out.disk = unknown ? 0 : static_cast<double>(disk.available);
    out.scratch = scratch();
    out.scratch_in_memory = base::lies_in_memory(scratch());
    return out;
  }

  /// Whether a checkpoint fits, and what is done where it does not. A disk
  /// without room is an Error, unless other variants can be judged.
  base::Result<void> plan_memory_of(Brought& one, bool several) {
    const auto footprint = one.path.empty()
                               ? base::Result<verify::Footprint>(base::fail(""))
                               : verify::footprint_of(one.path);
    if (!footprint) {
      return {};  // the checks tell what is wrong with it
    }
    auto plan = verify::plan_memory(*footprint, room(), asked_.streaming);
    if (!plan) {
      if (plan.error().disk && !several) {
        return base::fail(plan.error().message, plan.error().help);
      }
      one = {.missing = plan.error().message};
      return {};
    }
    if (plan->streamed || plan->whole > plan->memory / 2) {
      console_.say(plan->text);
    }
    if (plan->streamed && asked_.hosts) {
      console_.say(fmt::format(
          "the {} hosts of {} share the port for the check `sharded`",
          asked_.hosts->count,
          asked_.hosts->file.string()));
    }
    one.timeout_s = verify::streaming_timeout(*footprint);
    one.memory = std::move(*plan);
    return {};
  }

  verify::BatteryOptions battery() const {
    auto out = asked_.manifest.battery();
    if (asked_.hosts) {
      out.also.emplace_back("sharded");
    }
    return out;
  }

  base::Milliseconds timeout_for(const Brought& one) const {
    const base::Milliseconds needed = std::chrono::seconds(one.timeout_s);
    const bool longer = one.memory && one.memory->streamed &&
                        !asked_.timeout_fixed && needed > timeout_;
    return longer ? needed : timeout_;
  }

  base::Result<void> begin() {
    auto& run = out_.run;
    const auto facts =
        facts_of_run(asked_, brought_, verify::versions_of(*workers_), common_);
    if (!facts) {
      return tl::unexpected(facts.error());
    }
    run.facts = *facts;
    run.model_type = asked_.manifest.model_type;
    Manifest archived = asked_.manifest;
    archived.port = "port.py";
    auto text = manifest_text(archived);
    if (!text) {
      return tl::unexpected(text.error());
    }
    run.manifest = std::move(*text);
    for (size_t i = 0; i < brought_.size(); ++i) {
      report::Variant variant;
      variant.name = variants()[i].name;
      variant.report.links = asked_.links;
      auto& results = variant.report.results;
      results.model = brought_[i].path.string();
      results.port = asked_.manifest.port;
      results.pending = verify::chosen_checks(battery());
      run.variants.push_back(std::move(variant));
    }
    const auto kept = asked_.directory / "results";
    if (asked_.resume) {
      out_.archive = report::find_unfinished(run, kept);
      console_.say(
          out_.archive.empty() ? "nothing to go on with: a new run"
                               : "going on with " + out_.archive.string());
    }
    if (out_.archive.empty()) {
      auto made = report::begin_archive(run, kept);
      if (!made) {
        return tl::unexpected(made.error());
      }
      out_.archive = *made;
    }
    return keep();
  }

  base::Result<void> prove_all() {
    for (size_t i = 0; i < brought_.size(); ++i) {
      auto done = brought_[i].path.empty() ? leave_out(i) : prove_one(i);
      if (!done) {
        return done;
      }
    }
    return {};
  }

  base::Result<void> leave_out(size_t i) {
    auto& results = out_.run.variants[i].report.results;
    verify::CheckResult check;
    check.name = "model";
    check.status = Status::Untrusted;
    check.reason = brought_[i].missing;
    results.checks = {std::move(check)};
    results.pending.clear();
    return keep();
  }

  verify::Subject subject_of(size_t i) const {
    verify::Subject out;
    out.checkpoint = brought_[i].path;
    if (!asked_.manifest.port.empty()) {
      out.port = asked_.manifest.port;
    }
    out.trust_remote_code = asked_.manifest.trust_remote_code;
    out.memory = brought_[i].memory;
    out.scratch = scratch();
    out.hosts = asked_.hosts;
    for (const auto& link : asked_.links) {
      out.source_map.emplace(
          link.port_line, std::pair{link.source_file, link.source_line});
    }
    return out;
  }

  base::Result<void> prove_one(size_t i) {
    auto& variant = out_.run.variants[i];
    auto options = battery();
    options.done =
        report::archived_checks(out_.run, variant.name, out_.archive);
    options.after_each = [&](const verify::Results& so_far) {
      variant.report.results = so_far;
      auto kept = report::archive_check(
          out_.run, variant.name, so_far.checks.back(), out_.archive);
      return kept ? keep() : kept;
    };
    workers_->timeout = timeout_for(brought_[i]);
    std::vector<verify::PlantedBug> planted;
    auto results = prove(
        workers_,
        subject_of(i),
        options,
        asked_.transformers,
        console_,
        asked_.prove ? &planted : nullptr);
    if (!results) {
      return tl::unexpected(results.error());
    }
    if (auto recorded = record_texts(variants()[i].name, results->texts);
        !recorded) {
      return recorded;
    }
    hold_dtype(variants()[i], *results);
    variant.report.results = std::move(*results);
    out_.planted.insert(out_.planted.end(), planted.begin(), planted.end());
    return keep();
  }

  /// Into run.json: which prompts the checkpoint's tokenizer made.
  base::Result<void> record_texts(
      const std::string& variant,
      const nlohmann::json& texts) {
    if (texts.empty()) {
      return {};
    }
    const auto file = out_.archive / "run.json";
    const auto text = base::read_file(file);
    if (!text) {
      return tl::unexpected(text.error());
    }
    auto facts = nlohmann::ordered_json::parse(*text);
    facts["texts"][variant] = texts;
    return base::write_file(file, facts.dump(2) + "\n");
  }

  /// What the manifest says of the checkpoint, as one check more.
  void hold_dtype(const ManifestVariant& variant, verify::Results& results) {
    const auto found = dtype_in_config(results.model);
    if (variant.expected_dtype.empty() || found.empty()) {
      return;
    }
    auto check = found == variant.expected_dtype
                     ? verify::passed()
                     : verify::warned(fmt::format(
                           "the checkpoint is in {}, the manifest expects {}",
                           found,
                           variant.expected_dtype));
    check.name = "expected_dtype";
    results.checks.push_back(std::move(check));
  }

  base::Result<void> keep() {
    return report::write_run(out_.run, asked_.directory, out_.archive);
  }

  const std::shared_ptr<verify::Workers>& workers_;
  const Verification& asked_;
  const Common& common_;
  Console& console_;
  base::Milliseconds timeout_;
  std::vector<Brought> brought_;
  Verified out_;
};

}  // namespace

base::Result<Verified> verify_port(
    const std::shared_ptr<verify::Workers>& workers,
    const Verification& asked,
    const Common& common,
    Console& console) {
  return Proving(workers, asked, common, console).run();
}

}  // namespace portwright::cli
