#include "cli/compiling.h"

#include <chrono>

#include "base/paths.h"
#include "candidate/proving.h"
#include "cli/small_config.h"
#include "cli/switches.h"
#include "emit/layout.h"
#include "emit/padding_reads.h"
#include "emit/perturbation.h"
#include "emit/token_mixing.h"
#include "library/guarded.h"
#include "library/install.h"

namespace portwright::cli {

namespace fs = std::filesystem;
namespace mx = mlx::core;

void install(eval::Interpreter& interp, const Sources& sources) {
  library::install_library(interp, sources.transformers.string());
  library::register_checkpoint_code(interp, sources.checkpoint.string());
  candidate::install_mlx_lm(interp, sources.packages);
  library::read_ahead(interp);
}

namespace {

/// The fields in which a variant differs from the config.
nlohmann::json difference(
    const nlohmann::json& variant,
    const nlohmann::json& config) {
  auto out = nlohmann::json::object();
  for (const auto& [field, value] : variant.items()) {
    if (!config.contains(field) || config[field] != value) {
      out[field] = value;
    }
  }
  return out;
}

/// The config as transformers 4 wrote it, its rotary fields beside the others.
nlohmann::json flat_rope(nlohmann::json config) {
  const auto found = config.find("rope_parameters");
  if (found == config.end() || !found->is_object() ||
      !found->contains("rope_theta")) {
    return config;
  }
  nlohmann::json rope = std::move(*found);
  config.erase(found);
  for (const char* name : {"rope_theta", "partial_rotary_factor"}) {
    if (rope.contains(name)) {
      config[name] = rope[name];
      rope.erase(name);
    }
  }
  const bool plain = rope.value("rope_type", "default") == "default";
  config["rope_scaling"] = plain ? nlohmann::json() : rope;
  return config;
}

/// Proves a file with loops over layers for a deeper config, the first that the
/// source runs with.
void prove_deeper(
    const candidate::Port& port,
    const nlohmann::json& config,
    Compiled& out) {
  using candidate::Port;
  using candidate::Verdict;
  if (!out.emitted.loops || out.proof.verdict != Verdict::Passed) {
    return;
  }
  for (const auto& deeper : emit::deepened(config)) {
    auto proof = port.prove(deeper, Port::Depth::Brief);
    if (proof.verdict == Verdict::Failed) {
      proof.reason =
          "with " + difference(deeper, config).dump() + ": " + proof.reason +
          "; the loops over layers turn too seldom in this config to "
          "tell what they do: compile one with more layers";
      out.proof = std::move(proof);
    }
    if (proof.verdict != Verdict::Unproven) {
      return;
    }
  }
}

/// Proves the file for the config in other words, and with all that is true in
/// it false, and the other way round. False when a field must stay as it is.
bool prove_switched(
    const candidate::Port& port,
    const nlohmann::json& config,
    emit::Compilation& compilation,
    Compiled& out) {
  using candidate::Port;
  using candidate::Verdict;
  nlohmann::json known = nlohmann::json::object();
  for (const auto& variant : out.emitted.variants) {
    if (const auto alone = difference(variant, config); alone.size() == 1) {
      known.update(alone);
    }
  }
  auto switches = switches_of(out.emitted.text, config);
  std::erase_if(switches, [&](const Switch& s) {
    return known.contains(s.field) || compilation.keeps(s.field);
  });
  nlohmann::json switched = config;
  for (const auto& [field, value] : switches) {
    switched[field] = !value;
  }
  const auto glance = [&](const nlohmann::json& other) {
    return port.prove(other, Port::Depth::Glance);
  };
  const auto flat = flat_rope(switched);
  if (flat == config || glance(flat).verdict == Verdict::Passed) {
    return true;
  }
  if (auto proof = glance(flat_rope(config));
      proof.verdict == Verdict::Failed) {
    proof.reason = "with flat rope fields: " + proof.reason;
    out.proof = std::move(proof);
    return true;
  }
  bool served = true;
  for (const auto& [field, value] : switches) {
    switched = config;
    switched[field] = !value;
    if (glance(switched).verdict == Verdict::Failed) {
      compilation.keep(field, value);
      served = false;
    }
  }
  return served;
}

/// Whether the file serves a type of rope that it was not made from: what it
/// has a class of its own for with each of the variants, too.
bool serves_rope(
    const candidate::Port& port,
    const nlohmann::json& config,
    const emit::ToldRope& rope,
    const std::vector<nlohmann::json>& variants) {
  using candidate::Port;
  using candidate::Verdict;
  const auto depth = rope.own ? Port::Depth::Rows : Port::Depth::Glance;
  for (const auto& with : rope.configs) {
    const Verdict verdict = port.prove(with, depth).verdict;
    if (verdict == Verdict::Unproven) {
      continue;  // the source does not run it so
    }
    const auto hidden = [&](nlohmann::json variant) {
      variant.update(difference(with, config));
      return port.prove(variant, Port::Depth::Glance).verdict ==
             Verdict::Failed;
    };
    return verdict == Verdict::Passed &&
           !(rope.own && std::any_of(variants.begin(), variants.end(), hidden));
  }
  return !rope.tried;
}

/// Proves the file for the types of rope that it was not made from. False when
/// one had to be left out.
bool prove_ropes(
    const candidate::Port& port,
    const nlohmann::json& config,
    emit::Compilation& compilation,
    const emit::Emitted& emitted) {
  bool served = true;
  for (const auto& [type, rope] : emitted.ropes) {
    if (!serves_rope(port, config, rope, emitted.variants)) {
      compilation.leave_out_rope(type);
      served = false;
    }
  }
  return served;
}

/// Proves the file for any two variants at once, of which one may have hidden
/// what the other does. False when a pair was not served.
bool prove_pairs(
    const candidate::Port& port,
    const nlohmann::json& config,
    emit::Compilation& compilation,
    const Compiled& out) {
  using candidate::Port;
  const auto& variants = out.emitted.variants;
  for (size_t i = 0; i < variants.size(); ++i) {
    for (size_t j = i + 1; j < variants.size(); ++j) {
      nlohmann::json pair = variants[i];
      pair.update(difference(variants[j], config));
      const bool known =
          std::find(variants.begin(), variants.end(), pair) != variants.end();
      if (!known && port.prove(pair, Port::Depth::Glance).verdict ==
                        candidate::Verdict::Failed) {
        if (!compilation.add(pair)) {
          compilation.leave_out(variants[j]);
        }
        return false;
      }
    }
  }
  return true;
}

/// Proves the file for the config and for those near it. False when one had to
/// be left out, and the file is to be written anew.
bool prove(
    eval::Interpreter& interp,
    const nlohmann::json& config,
    emit::Compilation& compilation,
    Compiled& out) {
  if (!out.emitted.holes.empty()) {
    return true;
  }
  using candidate::Port;
  using candidate::Verdict;
  const base::Stopwatch proving(out.prove_ms);
  const auto port = Port::load(interp, out.emitted.text);
  bool served = true;
  if (port) {
    out.proof = port->prove(config, Port::Depth::Full);
    if (out.proof.verdict == Verdict::Passed) {
      served = prove_switched(*port, config, compilation, out);
    }
    prove_deeper(*port, config, out);
    auto all = config;
    for (const auto& variant : out.emitted.variants) {
      all.update(difference(variant, config));
      if (port->prove(variant, Port::Depth::Brief).verdict != Verdict::Passed) {
        compilation.leave_out(variant);
        served = false;
      }
    }
    // Each for itself is not all at once, which the file may have to be told:
    // the config with all of them went with one that was left out.
    if (served && out.emitted.variants.size() > 1 &&
        port->prove(all, Port::Depth::Brief).verdict == Verdict::Failed) {
      if (!compilation.add(all)) {
        compilation.leave_out(out.emitted.variants.back());
      }
      served = false;
    }
    served = served && prove_pairs(*port, config, compilation, out);
    if (served && out.proof.verdict == Verdict::Passed) {
      served = prove_ropes(*port, config, compilation, out.emitted);
    }
  } else {
    out.proof = candidate::prove(interp, out.emitted.text, config);
  }
  return served;
}

}  // namespace

namespace {

/// Puts what was filled in into a draft; without holes from then on, if none is
/// left.
library::Evaluated<void> fill(Fillings& fillings, Compiled& out) {
  auto refilled = fillings.put_into(out.emitted);
  if (!refilled) {
    return tl::unexpected(diagnostics::Diagnostic{
        diagnostics::Kind::SyntaxError,
        "what was filled in is no Python: " + refilled.error().message,
        {},
        "repair " + fillings.draft_path().string(),
        "",
        {}});
  }
  out.draft = std::move(out.emitted.text);
  out.emitted.text = refilled->text;
  if (out.emitted.fillable && refilled->open.empty()) {
    out.emitted.holes.clear();
  }
  out.refilled = std::move(*refilled);
  return {};
}

}  // namespace

namespace {

/// Why a source that is not proven is another step by step than at once, or
/// `beside_longer` rows of a batch; none where it is not.
std::optional<diagnostics::Diagnostic> forgotten_tokens(
    eval::Interpreter& interp,
    const nlohmann::json& config,
    bool beside_longer = false) {
  const auto model = library::guarded(
      interp, [&] { return candidate::source_model(interp, config); });
  if (!model) {
    return {};
  }
  const auto count = library::guarded(
      interp, [&] { return candidate::vocabulary_of(interp, *model); });
  // The last one over and over: what has no more room for such shows it.
  constexpr int kLength = 13;
  const auto at = mx::minimum(mx::arange(kLength), mx::array(kLength / 2));
  const auto ids =
      mx::take(candidate::ids_for(count.value_or(3), 1, kLength), at, 1);
  auto out = emit::forgotten_tokens(interp, *model, ids);
  if (!out && beside_longer) {
    const auto others = candidate::ids_for(count.value_or(3), 1, kLength);
    return emit::padding_read(interp, *model, others);
  }
  return out;
}

}  // namespace

namespace {

/// True where one row alone is right, and padded is not.
bool fails_beside_longer(const candidate::Proof& proof) {
  const auto failed = [](const candidate::ProofCheck& check) {
    return !check.skipped && !check.reason.empty();
  };
  return std::any_of(
             proof.checks.begin(),
             proof.checks.end(),
             [&](const auto& check) {
               return failed(check) && check.name.ends_with("padded row");
             }) &&
         std::all_of(
             proof.checks.begin(), proof.checks.end(), [&](const auto& check) {
               return !failed(check) || check.name.ends_with("padded row");
             });
}

library::Evaluated<Compiled> compile_config(
    eval::Interpreter& interp,
    const nlohmann::json& config,
    Fillings* fillings) {
  Compiled out;
  out.model_type = config.value("model_type", "");
  out.config = config;
  auto compilation = emit::Compilation::start(interp, config);
  if (!compilation) {
    const auto forgotten = forgotten_tokens(interp, config);
    return tl::unexpected(forgotten.value_or(compilation.error()));
  }
  for (bool settled = false; !settled;) {
    auto emitted = compilation->write();
    if (!emitted) {
      const auto forgotten = forgotten_tokens(interp, config);
      return tl::unexpected(forgotten.value_or(emitted.error()));
    }
    out.emitted = std::move(*emitted);
    // A draft may not parse; then it stays as it was written.
    if (auto text = emit::layout(out.emitted.text)) {
      out.emitted.text = std::move(*text);
    }
    out.refilled.reset();
    if (fillings && !out.emitted.holes.empty()) {
      if (auto filled = fill(*fillings, out); !filled) {
        return tl::unexpected(filled.error());
      }
    }
    settled = prove(interp, config, *compilation, out);
  }
  const bool proven = out.emitted.holes.empty() &&
                      out.proof.verdict == candidate::Verdict::Passed;
  const bool filled = out.refilled && out.emitted.holes.empty();
  // What mixes tokens and forgets them may be right as it was fed.
  if ((!proven && !filled) || out.proof.as_fed) {
    if (const auto forgotten =
            forgotten_tokens(interp, config, fails_beside_longer(out.proof))) {
      out.emitted.holes.insert(out.emitted.holes.begin(), *forgotten);
    }
  }
  out.timings = compilation->timings();
  for (const auto& variant : out.emitted.variants) {
    out.variants.push_back(difference(variant, config));
  }
  return out;
}

/// True where the file stands by what it was made of, and takes the config.
bool serves(
    eval::Interpreter& interp,
    const Compiled& compiled,
    const nlohmann::json& config) {
  const auto port = candidate::Port::load(interp, compiled.emitted.text);
  return compiled.proof.verdict == candidate::Verdict::Passed && port &&
         port->takes(config);
}

/// Configs of the same structure, of whose numbers none is by chance what
/// another one is: which of two equal sizes a line reads shows where they
/// differ, and what a number is made of in numbers that make another one.
std::vector<nlohmann::json> other_numbers(
    const nlohmann::json& config,
    const emit::Emitted& emitted) {
  std::vector<nlohmann::json> out;
  if (const auto tied = emit::ties(config); !tied.empty()) {
    out.push_back(emit::untied(config, tied));
  }
  if (emitted.built_in) {
    // The numbers that told may be bolder, which takes longer.
    out.push_back(emit::perturbed(config)[1]);
    out.push_back(emitted.numbers);
  }
  return out;
}

/// True where it serves the config too, which is what is proven then.
bool serves_as_well(
    eval::Interpreter& interp,
    Compiled& compiled,
    const nlohmann::json& config) {
  if (!serves(interp, compiled, config)) {
    return false;
  }
  const auto port = candidate::Port::load(interp, compiled.emitted.text);
  auto proof = port->prove(config, candidate::Port::Depth::Full);
  if (proof.verdict != candidate::Verdict::Passed) {
    return false;
  }
  compiled.proof = std::move(proof);
  return true;
}

library::Evaluated<Compiled> compile_small_or_whole(
    eval::Interpreter& interp,
    const nlohmann::json& config,
    Fillings* fillings) {
  const auto forms = small_configs(interp, config);
  std::optional<Compiled> draft;
  for (const auto& small : forms) {
    if (draft && &small != &forms.back()) {
      continue;  // the last has its sizes from the config alone
    }
    auto out = compile_config(interp, small, fillings);
    if (out && serves(interp, *out, config)) {
      return out;
    }
    if (out && !draft && !out->emitted.holes.empty()) {
      draft = std::move(*out);
    }
  }
  if (draft) {
    return std::move(*draft);
  }
  auto out = compile_config(interp, config, fillings);
  if (!out || out->emitted.holes.empty()) {
    return out;
  }
  for (const auto& other : other_numbers(config, out->emitted)) {
    auto apart = compile_config(interp, other, fillings);
    if (apart && serves_as_well(interp, *apart, config)) {
      return apart;
    }
  }
  return out;
}

}  // namespace

library::Evaluated<Compiled> compile_checkpoint(
    eval::Interpreter& interp,
    const Sources& sources,
    Fillings* fillings) {
  const auto start = std::chrono::steady_clock::now();
  const auto config = library::read_config(sources.checkpoint);
  if (!config) {
    return tl::unexpected(config.error());
  }
  install(interp, sources);
  auto out = compile_small_or_whole(interp, *config, fillings);
  if (out) {
    out->total_ms = std::chrono::duration<double, std::milli>(
                        std::chrono::steady_clock::now() - start)
                        .count();
  }
  return out;
}

std::vector<nlohmann::json> configs_of(const Compiled& compiled) {
  std::vector<nlohmann::json> out{compiled.config};
  const auto& variants = compiled.emitted.variants;
  out.insert(out.end(), variants.begin(), variants.end());
  return out;
}

nlohmann::ordered_json holes_json(
    const std::vector<diagnostics::Diagnostic>& holes) {
  auto out = nlohmann::ordered_json::array();
  for (const auto& hole : holes) {
    out.push_back(
        nlohmann::ordered_json::parse(diagnostics::render_json(hole)));
  }
  return out;
}

namespace {

nlohmann::ordered_json tasks_json(const Compiled& compiled) {
  auto out = nlohmann::ordered_json::array();
  for (const auto& task : compiled.emitted.tasks) {
    out.push_back(task.told);
  }
  return out;
}

}  // namespace

ExitCode refuse_with_draft(
    Console& console,
    const Compiled& compiled,
    Fillings& fillings,
    const std::string& model) {
  for (const auto& hole : compiled.emitted.holes) {
    console.diagnostic(hole);
  }
  if (auto left = fillings.leave(compiled, std::nullopt, model); !left) {
    return console.fail(left.error());
  }
  fillings.tell(compiled.refilled, console);
  const size_t count = compiled.refilled && !compiled.refilled->open.empty()
                           ? compiled.refilled->open.size()
                           : compiled.emitted.holes.size();
  console.say(fmt::format(
      "{} {} left; the draft is {}, and what each needs beside it",
      count,
      count == 1 ? "hole is" : "holes are",
      fillings.draft_path().string()));
  console.result(
      {{"schema", 1},
       {"file", nullptr},
       {"draft", fillings.draft_path().string()},
       {"model_type", compiled.model_type},
       {"holes", holes_json(compiled.emitted.holes)},
       {"tasks", tasks_json(compiled)},
       {"fillings", fillings.to_json(compiled.refilled)},
       {"guards", compiled.emitted.guards}});
  return ExitCode::Refused;
}

base::Result<void> write_port(
    Fillings& fillings,
    const Compiled& compiled,
    const fs::path& file,
    const std::string& model) {
  const std::string& text = compiled.emitted.text;
  if (!compiled.refilled) {
    return fillings.write_whole(text);
  }
  auto left = fillings.leave(compiled, text, model);
  return left ? base::write_file(file, text) : left;
}

ExitCode report_disproof(
    Console& console,
    const Compiled& compiled,
    const fs::path& file) {
  fs::path draft = file;
  draft.replace_extension(".failed.py");
  if (auto written = base::write_file(draft, compiled.emitted.text); !written) {
    return console.fail(written.error());
  }
  const candidate::Proof& proof = compiled.proof;
  const bool guarded = proof.verdict == candidate::Verdict::Guarded;
  console.say(fmt::format(
      "the emitted file {}: {}",
      guarded ? "refuses the config it was made from"
              : "is not the source's model",
      proof.reason));
  if (proof.fault) {
    console.diagnostic(*proof.fault);
  }
  console.say("it is kept as " + draft.string());
  // What ModelArgs raises in its own words is a refusal, not a wrong port.
  const bool refused =
      guarded && proof.fault && proof.reason.starts_with("ValueError");
  console.result(
      {{"schema", 1},
       {"file", nullptr},
       {"draft", draft.string()},
       {"model_type", compiled.model_type},
       {"proof", {{"in_process", to_json(proof)}, {"worker", nullptr}}},
       {"holes",
        refused ? holes_json({*proof.fault}) : nlohmann::ordered_json::array()},
       {"guards", compiled.emitted.guards}});
  return refused ? ExitCode::Refused : ExitCode::VerdictFailed;
}

}  // namespace portwright::cli
