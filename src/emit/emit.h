#pragma once

#include <string>
#include <vector>

#include "emit/predicates.h"

namespace portwright::emit {

/// What somebody who fills a hole needs: the stub `class_name` of the draft is
/// to be replaced. `told`: {"id", "class", "used_in", "reason", "construct",
/// "module", "source", "construct_at", "given", "answers", "weights"}.
struct Task {
  std::string id;
  std::string class_name;
  nlohmann::ordered_json told;
};

/// The emitted mlx-lm file, or what stands in its way.
struct Emitted {
  std::string text;    // laid out as black leaves it; with holes: the draft
  double lift_ms = 0;  // time that finding idioms took
  std::vector<diagnostics::Diagnostic> holes;
  std::vector<Task> tasks;          // of holes that have a stub in the draft
  bool fillable = false;            // all holes have one
  std::vector<std::string> guards;  // configs that the file refuses, in words
  bool built_in = false;  // the holes are numbers of the one config alone
  /// The file for other numbers could be written, to tell which are built in;
  /// and the config with those numbers.
  bool numbers_told = false;
  nlohmann::json numbers;
  /// It has the source's own loops over layers, written from the few turns that
  /// the config has: what else they may do shows in deeper configs.
  bool loops = false;
  /// The other configs that it was made from, and serves.
  std::vector<nlohmann::json> variants;
  std::map<std::string, ToldRope> ropes;  // served too, by type
};

/// Turns traced evaluations of a causal LM, of different configs, into one
/// model file. The first one decides what the file is for; another is left out
/// when it cannot be written, or not be merged with those before. `numbers`,
/// if not null, is one of the first's structure in other numbers: a line that
/// comes out differently has a number built in, and is a hole. The field `kept`
/// is the same in both: the file is for its value alone, for those in `served`,
/// and for no rope of the types in `left_ropes`.
Emitted emit_model(
    eval::Interpreter& interp,
    Predicates& predicates,
    const std::vector<const Evaluation*>& evaluations,
    const Evaluation* numbers = nullptr,
    const std::string& kept = "",
    const std::map<std::string, bool>& served = {},
    const std::set<std::string>& left_ropes = {});

/// `@dataclass class ModelArgs`, for the fields the file reads. What the drafts
/// have in common is in the first.
std::string write_arguments(
    Configs& configs,
    const std::vector<Context*>& drafts,
    std::vector<std::string>& guards);

/// The sanitize method, "" when nothing needs renaming. `moves`: statements for
/// what classes of the file hold otherwise than the source.
std::string write_sanitize(Context& context, const std::string& moves);

}  // namespace portwright::emit
