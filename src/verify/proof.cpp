#include "verify/proof.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "base/paths.h"
#include "verify/rounding.h"

namespace portwright::verify {
namespace {

using nlohmann::json;
namespace fs = std::filesystem;

struct Sound {
  const Results& results;
  Run prefill;
  Run decode;
  Run far;
  /// As errors_in_bfloat16 tells of it, for each turn of the prompts.
  std::vector<std::vector<double>> rounded;
};

/// Not about the port, or slow at saying what the others say.
bool is_about_the_port(const Check& check) {
  return check.name != "evaluator" && check.name != "layers" &&
         check.name != "chat" && check.name != "speed";
}

bool notices(const CheckResult& found, const CheckResult* sound) {
  switch (found.status) {
    case Status::Fail:
      return !sound || sound->status != Status::Fail;
    case Status::Warn:
      return !sound || sound->status != Status::Warn ||
             sound->reason != found.reason;
    default:
      return false;
  }
}

/// In bfloat16 equivalent roundings move the error of the logits by less.
constexpr double kLessExact = 1.25;
/// Prompts that this is measured by, where the first shows more.
constexpr size_t kTurns = 7;

constexpr double kInfinite = std::numeric_limits<double>::infinity();

double distance(const Run& planted, const Run& sound) {
  double out = 0;
  for (const auto* key : {"logits", "prefill_logits"}) {
    if (!sound.has(key)) {
      continue;
    }
    const auto difference = compare(planted, key, sound, key);
    out = std::max(out, difference ? difference->relative : kInfinite);
  }
  return out;
}

double distance(const Outcome<const Run*>& planted, const Run& sound) {
  return planted ? distance(**planted, sound) : kInfinite;
}

/// A prompt that goes far, then steps.
Outcome<Run> run_far(Session& session) {
  RunRequest request;
  request.ids = {session.plan().far};
  request.prefill = session.plan().far_prefill;
  return session.candidate().run(request);
}

Ids turned(Ids ids, size_t turn) {
  const auto by = turn * ids.size() / kTurns;
  std::rotate(
      ids.begin(), ids.begin() + static_cast<std::ptrdiff_t>(by), ids.end());
  return ids;
}

/// How far the port in bfloat16 is from torch in float32: a prompt, steps after
/// it, a prompt that goes far, steps after that. Empty where either raises.
/// `turn`: the prompts begin elsewhere.
std::vector<double> errors_in_bfloat16(Session& session, size_t turn) {
  const auto& plan = session.plan();
  std::vector<double> out;
  const auto done = session.in_bfloat16([&]() -> Outcome<void> {
    for (const auto& [ids, prefill] :
         {std::pair{turned(plan.ids, turn), plan.prefill},
          std::pair{turned(plan.far, turn), plan.far_prefill}}) {
      for (const bool steps : {false, true}) {
        RunRequest request;
        request.ids = {ids};
        request.prefill = steps ? prefill : 0;
        const auto exact = session.reference().run(request);
        const auto run = session.candidate().run(request);
        if (!exact || !run) {
          return tl::unexpected((exact ? run : exact).error());
        }
        const auto ours = run->find("logits");
        const auto theirs = exact->find("logits");
        const auto error =
            ours && theirs ? typical_error(*ours, *theirs) : std::nullopt;
        out.push_back(error.value_or(kInfinite));
      }
    }
    return {};
  });
  return done ? out : std::vector<double>();
}

double median(std::vector<double> values) {
  const auto middle =
      values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

/// How much more the logits err in bfloat16 than the sound port's, where that
/// shows most; 1 where the sound port's are not known. What one prompt shows
/// may be its chance: then the median over several decides.
double rounding_effect(Session& session, const Sound& sound) {
  std::vector<std::vector<double>> ratios;  // of a kind of run, over prompts
  double out = 1;
  for (size_t turn = 0; turn < sound.rounded.size(); ++turn) {
    const auto& theirs = sound.rounded[turn];
    const auto planted = errors_in_bfloat16(session, turn);
    if (planted.size() != theirs.size()) {
      return theirs.empty() ? 1 : kInfinite;
    }
    ratios.resize(planted.size());
    for (size_t i = 0; i < planted.size(); ++i) {
      ratios[i].push_back(planted[i] / std::max(theirs[i], 1e-30));
    }
    if (turn > 0 && turn + 1 < sound.rounded.size()) {
      continue;
    }
    out = 0;
    for (const auto& ratio : ratios) {
      out = std::max(out, median(ratio));
    }
    if (out <= kLessExact) {
      break;
    }
  }
  return out;
}

double effect_of(Session& session, const Sound& sound) {
  if (session.candidate_trouble()) {
    return kInfinite;
  }
  const auto far = run_far(session);
  const double there = far ? distance(*far, sound.far) : kInfinite;
  return std::max(
      {distance(session.candidate_prefill(), sound.prefill),
       distance(session.candidate_decode(), sound.decode),
       there <= kNeverAbove ? 0 : there});  // angles far out are less exact
}

/// The text of a line of a file, from 1.
std::string text_of_line(const std::string& file, int line) {
  const auto text = base::read_file(file);
  size_t at = 0;
  for (int i = 1; text && i < line && at != std::string::npos; ++i) {
    at = text->find('\n', at);
    at = at == std::string::npos ? at : at + 1;
  }
  return text && at != std::string::npos
             ? text->substr(at, text->find('\n', at) - at)
             : "";
}

/// A line that the place names lies in the changed class, or makes it.
std::optional<bool>
is_placed(const Place& place, const json& bug, const std::string& file) {
  if (!place.port_line) {
    return std::nullopt;
  }
  const auto scope = bug.value("scope", std::string());
  const auto made = scope.substr(0, scope.find('.')) + "(";
  for (const auto& line :
       {place.port_line, place.made_line, place.given_line}) {
    if (line &&
        ((*line >= bug.value("first", 0) && *line <= bug.value("last", 0)) ||
         text_of_line(file, *line).find(made) != std::string::npos)) {
      return true;
    }
  }
  return false;
}

base::Result<PlantedBug> judge_bug(
    Session& session,
    const json& bug,
    const Sound& sound,
    const BatteryOptions& options) {
  PlantedBug out;
  out.name = bug.value("name", "");
  out.scope = bug.value("scope", "");
  out.line = bug.value("line", 0);
  const auto file = bug.value("file", std::string());
  if (auto loaded = session.exchange_port(file); !loaded) {
    return tl::unexpected(error_of(loaded.error()));
  }
  for (const Check& check : all_checks()) {
    if (!is_chosen(check, options) || !is_about_the_port(check)) {
      continue;
    }
    const auto found = judge_by(check, session);
    if (!found) {
      return tl::unexpected(found.error());
    }
    if (notices(*found, sound.results.find(check.name))) {
      out.status = Catch::Caught;
      out.check = check.name;
      out.reason = found->reason;
      out.place = found->place;
      out.placed = is_placed(found->place, bug, file);
      break;
    }
  }
  out.effect = effect_of(session, sound);
  if (out.status == Catch::Caught || session.candidate_trouble()) {
    return out;
  }
  const double less_exact = rounding_effect(session, sound);
  if (less_exact > kLessExact) {
    out.reason = fmt::format(
        "in bfloat16 the logits err {:.2f} times as much as the sound port's",
        less_exact);
  } else if (out.effect <= session.logits_threshold()) {
    out.status = Catch::NoEffect;
    out.reason =
        bug.value("reached", true)
            ? "its numbers stay within the noise, far from the beginning, on "
              "stressed inputs and in bfloat16 too"
            : "this config does not reach the line";
  }
  return out;
}

base::Result<json> plant(Session& session) {
  const fs::path folder = session.scratch() / "planted";
  if (auto made = base::make_directories(folder); !made) {
    return tl::unexpected(made.error());
  }
  const auto planted = session.candidate().request(
      "plant",
      {{"model", session.candidate().selected()},
       {"file", session.port_file()},
       {"folder", folder.string()},
       {"ids", {session.plan().ids}},
       {"prefill", session.plan().prefill}});
  if (!planted) {
    return tl::unexpected(error_of(planted.error()));
  }
  return planted->at("bugs");
}

}  // namespace

std::string_view name(Catch status) {
  switch (status) {
    case Catch::Caught:
      return "caught";
    case Catch::NotCaught:
      return "not caught";
    case Catch::NoEffect:
      return "no effect";
  }
  return "";
}

base::Result<std::vector<PlantedBug>> prove_battery(
    Session& session,
    const Results& sound,
    const BatteryOptions& options,
    base::Progress& progress) {
  const auto bugs = plant(session);
  if (!bugs) {
    return tl::unexpected(bugs.error());
  }
  const auto prefill = session.candidate_prefill();
  const auto decode = session.candidate_decode();
  if (!prefill || !decode) {
    return tl::unexpected(error_of((prefill ? decode : prefill).error()));
  }
  const auto far = run_far(session);
  if (!far) {
    return tl::unexpected(error_of(far.error()));
  }
  (void)session.noise();  // of the sound port
  session.reference().remember();
  const fs::path port = session.port_file();
  Sound kept{sound, **prefill, **decode, *far, {}};
  for (size_t turn = 0; turn < kTurns; ++turn) {
    kept.rounded.push_back(errors_in_bfloat16(session, turn));
  }
  std::vector<PlantedBug> out;
  progress.begin("planting bugs");
  for (const auto& bug : *bugs) {
    auto judged = judge_bug(session, bug, kept, options);
    if (!judged) {
      return tl::unexpected(judged.error());
    }
    out.push_back(std::move(*judged));
    progress.advance(out.size(), bugs->size());
  }
  progress.end();
  if (auto back = session.exchange_port(port); !back) {
    return tl::unexpected(error_of(back.error()));
  }
  return out;
}

}  // namespace portwright::verify
