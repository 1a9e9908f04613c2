#pragma once

#include <filesystem>
#include <string>

#include <nlohmann/json.hpp>

#include "candidate/proof.h"
#include "cli/console.h"
#include "cli/fillings.h"
#include "emit/compile.h"

namespace portwright::cli {

/// What compiling a checkpoint gave.
struct Compiled {
  std::string model_type;
  /// What it was made from: that of the checkpoint, or the like in small sizes.
  nlohmann::json config;
  emit::Emitted emitted;  // without its holes where all are filled
  std::string draft;      // of a file with holes: before it was filled
  std::optional<emit::Refilled> refilled;
  emit::Timings timings;
  candidate::Proof proof;  // of a file without holes
  /// The other configs that it was proven for: the fields they change.
  std::vector<nlohmann::json> variants;
  double prove_ms = 0;  // the variants' proofs included
  double total_ms = 0;  // reading the source and the proof included
};

/// What a compilation reads.
struct Sources {
  std::filesystem::path checkpoint;
  std::filesystem::path transformers;
  candidate::Packages packages;
};

/// Makes an interpreter read them.
void install(eval::Interpreter& interp, const Sources& sources);

/// Compiles the model of a checkpoint folder (its config.json, and with
/// `auto_map` its own modeling files) in a fresh interpreter, whose sources
/// the diagnostics refer to, and proves the file in process: for the config
/// itself and for every variant that the file claims to serve; one that fails
/// is refused by the file instead. The diagnostic answered says what ended it
/// before there was a file at all.
/// A draft with holes takes over `fillings`, and is proven once none is left.
/// The config of a released model is taken in small sizes (small_config.h),
/// where the file made of those serves it.
library::Evaluated<Compiled> compile_checkpoint(
    eval::Interpreter& interp,
    const Sources& sources,
    Fillings* fillings = nullptr);

/// What the file is to serve: the config, and its variants.
std::vector<nlohmann::json> configs_of(const Compiled& compiled);

/// {"kind", "message", "file", "line", ...} for each.
nlohmann::ordered_json holes_json(
    const std::vector<diagnostics::Diagnostic>& holes);

/// The draft with its holes, written beside where the file would have gone:
/// exit code 3. `model` as it was named.
ExitCode refuse_with_draft(
    Console& console,
    const Compiled& compiled,
    Fillings& fillings,
    const std::string& model);

/// Writes the port to `file`, and with fillings what tells edits of it later.
base::Result<void> write_port(
    Fillings& fillings,
    const Compiled& compiled,
    const std::filesystem::path& file,
    const std::string& model);

/// Exit code 1: the in-process proof has failed; 3 where the file refuses its
/// own config in words. The text goes where a reader finds it, but not to
/// `file`.
ExitCode report_disproof(
    Console& console,
    const Compiled& compiled,
    const std::filesystem::path& file);

}  // namespace portwright::cli
