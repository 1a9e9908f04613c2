#include "emit/exploration.h"

#include <functional>
#include <span>

#include "emit/flips.h"
#include "emit/guards.h"
#include "emit/perturbation.h"
#include "emit/variants.h"
#include "emit/yarn_magnitude.h"
#include "library/guarded.h"

namespace portwright::emit {

using nlohmann::json;

namespace {

/// A compilation stays cheap; what lies beyond is guarded.
constexpr size_t kMostRecordings = 24;

class Explorer {
 public:
  Explorer(eval::Interpreter& interp, Predicates& predicates)
      : interp_(interp), predicates_(predicates) {}

  library::Evaluated<std::vector<Recording>> run(const json& config) {
    auto base = record(interp_, config);
    if (!base) {
      return tl::unexpected(base.error());
    }
    add(std::move(*base));
    // A flip may reach conditions that were not reached before it.
    for (size_t i = 0; i < reached_.size(); ++i) {
      // A config that cannot be had is none.
      (void)library::guarded(interp_, [&] {
        flip(reached_[i]);
        return true;
      });
    }
    combine();
    turn_by_yarn();
    return std::move(recordings_);
  }

 private:
  struct Seen {
    bool sides[2] = {false, false};
    json first;  // the config that reached it first
  };

  void add(Recording recording) {
    recordings_.push_back(std::move(recording));
    Recording& added = recordings_.back();
    added.evaluation.trace = added.trace.get();
    for (const auto& branch : all_branches(added.evaluation)) {
      const int index = predicates_.index_of(branch.condition);
      if (index < 0 || !matters(predicates_.at(index).reads) ||
          stays_in_value(branch, added.evaluation.config)) {
        continue;
      }
      const auto [it, fresh] = seen_.try_emplace(index);
      if (fresh) {
        reached_.push_back(index);
        it->second.first = added.evaluation.json;
      }
      it->second.sides[branch.outcome] = true;
    }
  }

  /// `a or b`: a falsy `a` leaves both sides in the value's own expression.
  bool stays_in_value(const trace::Branch& branch, const eval::Value& config) {
    return branch.operand && !branch.outcome &&
           branch.condition->kind == eval::Provenance::Kind::Config &&
           !interp_.try_getattr(config, branch.condition->name.str()).is_bool();
  }

  void flip(int predicate) {
    const Seen seen = seen_[predicate];
    if (seen.sides[false] && seen.sides[true]) {
      return;
    }
    const bool wanted = !seen.sides[true];
    const auto take = [&](const json& candidate) {
      if (recordings_.size() >= kMostRecordings) {
        return true;
      }
      if (!tried_.insert(candidate.dump()).second) {
        return false;
      }
      auto recording = record(interp_, candidate);
      if (!recording) {
        return false;
      }
      const size_t reached = reached_.size();
      add(std::move(*recording));
      if (!seen_[predicate].sides[wanted]) {
        recordings_.pop_back();
        // What it alone reached might lead on without end.
        for (; reached_.size() > reached; reached_.pop_back()) {
          seen_.erase(reached_.back());
        }
      }
      return seen_[predicate].sides[wanted];
    };
    flips(
        interp_,
        predicates_,
        seen.first,
        predicate,
        wanted ? Truth::True : Truth::False,
        take);
  }

  void turn_by_yarn() {
    const Evaluation& base = recordings_.front().evaluation;
    const json config = with_yarn_magnitude(base, base.json);
    if (!config.is_null() && recordings_.size() < kMostRecordings) {
      if (auto recording = record(interp_, config)) {
        add(std::move(*recording));
      }
    }
  }

  /// All changes at once: what they do in different places must not mix.
  void combine() {
    json all = recordings_.front().evaluation.json;
    for (size_t i = 1; i < recordings_.size(); ++i) {
      const json& own = recordings_[i].evaluation.json;
      for (const auto& [field, value] : own.items()) {
        const json& base = recordings_.front().evaluation.json;
        if (!base.contains(field) || base[field] != value) {
          all[field] = value;
        }
      }
    }
    if (recordings_.size() > 2) {
      if (auto recording = record(interp_, all)) {
        add(std::move(*recording));
      }
    }
  }

  eval::Interpreter& interp_;
  Predicates& predicates_;
  std::vector<Recording> recordings_;
  std::map<int, Seen> seen_;
  std::vector<int> reached_;
  std::set<std::string> tried_;
};

}  // namespace

library::Evaluated<std::vector<Recording>>
explore(eval::Interpreter& interp, Predicates& predicates, const json& config) {
  return Explorer(interp, predicates).run(config);
}

namespace {

/// What was decided on config fields, in order.
std::vector<std::pair<int, bool>> decisions(
    Predicates& predicates,
    const Evaluation& evaluation) {
  std::vector<std::pair<int, bool>> out;
  for (const auto& branch : all_branches(evaluation)) {
    const int index = predicates.index_of(branch.condition);
    if (index >= 0 && matters(predicates.at(index).reads)) {
      out.emplace_back(index, branch.outcome);
    }
  }
  return out;
}

}  // namespace

std::optional<Recording> record_other_numbers(
    eval::Interpreter& interp,
    Predicates& predicates,
    const Recording& base,
    const std::string& kept,
    double share) {
  const auto wanted = decisions(predicates, base.evaluation);
  std::set<std::string> by_layer;
  for (const auto& [index, outcome] : wanted) {
    const Reads& reads = predicates.at(index).reads;
    if (reads.loop) {
      by_layer.insert(reads.fields.begin(), reads.fields.end());
    }
  }
  const auto attempt = [&](const json& config) -> std::optional<Recording> {
    auto recording = record(interp, config);
    if (!recording) {
      return {};
    }
    recording->evaluation.trace = recording->trace.get();
    return decisions(predicates, recording->evaluation) == wanted
               ? std::optional<Recording>(std::move(*recording))
               : std::nullopt;
  };
  // A line that reads one of two sizes may mean the other.
  auto tied = ties(base.evaluation.json);
  std::erase(tied, kept);
  auto all = perturbed(base.evaluation.json, kept, share, by_layer);
  const json plain = all.back();  // sizes as they are
  all.pop_back();
  for (const json& config : all) {
    auto found = attempt(config);
    if (!found || tied.empty()) {
      if (found) {
        return found;
      }
      continue;
    }
    if (auto apart = attempt(untied(config, tied))) {
      return apart;
    }
    json numbers = config;
    for (const std::string& field : tied) {
      const json apart = untied(numbers, {field});
      if (auto one = attempt(apart)) {
        found = std::move(one);
        numbers = apart;
      }
    }
    return found;
  }
  auto found = attempt(plain);
  if (!found) {
    found = attempt(base.evaluation.json);
  }
  if (!found) {
    return {};
  }
  auto fields = sizes(base.evaluation.json);
  std::erase(fields, kept);
  // One size that must stay lets none change that change together with it.
  const std::function<void(std::span<const std::string>)> grow =
      [&](std::span<const std::string> part) {
        const json larger =
            doubled(found->evaluation.json, {part.begin(), part.end()});
        if (auto one = attempt(larger)) {
          found = std::move(one);
        } else if (part.size() > 1) {
          grow(part.first(part.size() / 2));
          grow(part.subspan(part.size() / 2));
        }
      };
  grow(fields);
  return found->evaluation.json == base.evaluation.json ? std::nullopt
                                                        : std::move(found);
}

namespace {

/// Calls of modules outside of numbered ones, those included, and operations
/// between them. The library's functions follow from lengths too.
size_t count_steps(const trace::Frame& frame) {
  const size_t dot = frame.path.rfind('.');
  if (dot != std::string::npos && std::isdigit(frame.path[dot + 1])) {
    return 1;
  }
  size_t n = frame.is_module();
  for (const auto& item : frame.items) {
    if (const auto* child = std::get_if<std::unique_ptr<trace::Frame>>(&item)) {
      n += count_steps(**child);
    } else {
      n += frame.is_module() && std::holds_alternative<trace::OpNode>(item);
    }
  }
  return n;
}

}  // namespace

bool takes_as_many_steps(const Recording& a, const Recording& b) {
  return count_steps(a.trace->root) == count_steps(b.trace->root);
}

}  // namespace portwright::emit
