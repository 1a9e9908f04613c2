#include "emit/merge.h"

#include <algorithm>
#include <map>
#include <memory>
#include <set>

namespace portwright::emit {

namespace {

/// How what a sample has at a place follows from predicates.
struct Decision {
  int predicate = -1;  // none: it is alternative `label`
  int label = 0;
  std::shared_ptr<Decision> when, otherwise;
};
using DecisionPtr = std::shared_ptr<Decision>;

using Samples = std::vector<size_t>;  // indices of samples, ascending

class Decider {
 public:
  Decider(const std::vector<Sample>& samples, const std::vector<int>& order)
      : samples_(samples), order_(order) {}

  /// `labels`: by sample. Null when no predicates decide them.
  DecisionPtr decide(const std::vector<int>& labels, const Samples& among) {
    auto out = std::make_shared<Decision>();
    out->label = labels[among.front()];
    if (impurity(labels, among) == 0) {
      return out;
    }
    std::optional<size_t> best;
    Samples best_true, best_false;
    for (int predicate : order_) {
      Samples when, otherwise;
      if (!split(predicate, among, when, otherwise)) {
        continue;
      }
      const size_t wrong = impurity(labels, when) + impurity(labels, otherwise);
      if (!best || wrong < *best) {
        best = wrong;
        out->predicate = predicate;
        best_true = std::move(when);
        best_false = std::move(otherwise);
      }
    }
    if (!best) {
      return nullptr;
    }
    out->when = decide(labels, best_true);
    out->otherwise = decide(labels, best_false);
    return out->when && out->otherwise ? out : nullptr;
  }

 private:
  /// How many samples have another label than most.
  static size_t impurity(const std::vector<int>& labels, const Samples& among) {
    std::map<int, size_t> counts;
    size_t most = 0;
    for (size_t i : among) {
      most = std::max(most, ++counts[labels[i]]);
    }
    return among.size() - most;
  }
  bool split(
      int predicate,
      const Samples& among,
      Samples& when,
      Samples& otherwise) const {
    for (size_t i : among) {
      const Truth truth = samples_[i].truths[predicate];
      if (truth == Truth::Unknown) {
        return false;
      }
      (truth == Truth::True ? when : otherwise).push_back(i);
    }
    return !when.empty() && !otherwise.empty();
  }

  const std::vector<Sample>& samples_;
  const std::vector<int>& order_;
};

/// A statement that some samples have at this place.
struct Slot {
  std::string heading;
  Samples members;
  std::vector<const Statement*> statements;  // one a member
};

/// Longest common subsequence of headings: pairs of (slot, statement).
std::vector<std::pair<size_t, size_t>> common(
    const std::vector<Slot>& slots,
    const std::vector<std::string>& headings) {
  const size_t n = slots.size(), m = headings.size();
  std::vector<std::vector<size_t>> length(n + 1, std::vector<size_t>(m + 1));
  for (size_t i = n; i-- > 0;) {
    for (size_t j = m; j-- > 0;) {
      length[i][j] = slots[i].heading == headings[j]
                         ? length[i + 1][j + 1] + 1
                         : std::max(length[i + 1][j], length[i][j + 1]);
    }
  }
  std::vector<std::pair<size_t, size_t>> out;
  for (size_t i = 0, j = 0; i < n && j < m;) {
    if (slots[i].heading == headings[j]) {
      out.emplace_back(i++, j++);
    } else if (length[i + 1][j] >= length[i][j + 1]) {
      ++i;
    } else {
      ++j;
    }
  }
  return out;
}

/// One order of slots in which every sample's statements stand in theirs.
std::vector<Slot> align(
    const std::vector<const Block*>& blocks,
    const Samples& members) {
  std::vector<Slot> slots;
  for (size_t k = 0; k < blocks.size(); ++k) {
    std::vector<std::string> headings;
    for (const Statement& s : *blocks[k]) {
      headings.push_back(s.heading());
    }
    auto pairs = common(slots, headings);
    pairs.emplace_back(slots.size(), headings.size());
    std::vector<Slot> out;
    size_t i = 0, j = 0;
    for (const auto& [slot, statement] : pairs) {
      while (i < slot) {
        out.push_back(std::move(slots[i++]));
      }
      while (j < statement) {
        out.push_back({headings[j], {members[k]}, {&(*blocks[k])[j]}});
        ++j;
      }
      if (slot < slots.size()) {
        slots[i].members.push_back(members[k]);
        slots[i].statements.push_back(&(*blocks[k])[j++]);
        out.push_back(std::move(slots[i++]));
      }
    }
    slots = std::move(out);
  }
  return slots;
}

/// A statement of the merged block and where it holds: where the decision
/// comes to `label`, or everywhere.
struct PlacedText {
  Statement statement;
  DecisionPtr where;
  int label = 0;
};

bool is_blank(const PlacedText& p) {
  return p.statement.choice < 0 && p.statement.text.empty();
}

bool same(const Decision& a, const Decision& b) {
  return a.predicate == b.predicate &&
         (a.predicate < 0
              ? a.label == b.label
              : same(*a.when, *b.when) && same(*a.otherwise, *b.otherwise));
}

/// What is left to decide where the predicate holds, or where it does not.
DecisionPtr side_of(const DecisionPtr& where, int predicate, bool holds) {
  if (where->predicate < 0) {
    return where;
  }
  if (where->predicate == predicate) {
    return side_of(holds ? where->when : where->otherwise, predicate, holds);
  }
  auto out = std::make_shared<Decision>(*where);
  out->when = side_of(where->when, predicate, holds);
  out->otherwise = side_of(where->otherwise, predicate, holds);
  return same(*out->when, *out->otherwise) ? out->when : out;
}

std::vector<PlacedText>
side_of(const std::vector<PlacedText>& placed, int predicate, bool holds) {
  std::vector<PlacedText> out;
  for (const PlacedText& p : placed) {
    // What holds everywhere (a blank line) holds on both sides.
    out.push_back({p.statement, side_of(p.where, predicate, holds), p.label});
  }
  return out;
}

void add_predicates(const Decision& where, std::set<int>& out) {
  if (where.predicate >= 0) {
    out.insert(where.predicate);
    add_predicates(*where.when, out);
    add_predicates(*where.otherwise, out);
  }
}

/// A run of statements that one predicate has a part in deciding.
struct DecidedRun {
  int predicate = -1;
  size_t end = 0;
};

Block choose(int predicate, Block when, Block otherwise) {
  auto only_blank = [](const Block& b) {
    return std::all_of(b.begin(), b.end(), [](const Statement& s) {
      return s.choice < 0 && s.text.empty();
    });
  };
  if (only_blank(when) && only_blank(otherwise)) {
    return when;
  }
  Statement s;
  s.choice = predicate;
  s.body = std::move(when);
  s.clauses = std::move(otherwise);
  return {s};
}

class Arranger {
 public:
  /// `known`: predicates that every sample can evaluate.
  explicit Arranger(std::set<int> known) : known_(std::move(known)) {}

  Block arrange(const std::vector<PlacedText>& placed) const {
    Block out;
    for (size_t i = 0; i < placed.size();) {
      const Decision& where = *placed[i].where;
      if (where.predicate < 0) {
        if (where.label == placed[i].label) {
          out.push_back(placed[i].statement);
        }
        ++i;
        continue;
      }
      const auto [predicate, end] = longest_run(placed, i);
      const std::vector<PlacedText> run(
          placed.begin() + static_cast<std::ptrdiff_t>(i),
          placed.begin() + static_cast<std::ptrdiff_t>(end));
      for (Statement& s : choose(
               predicate,
               arrange(side_of(run, predicate, true)),
               arrange(side_of(run, predicate, false)))) {
        out.push_back(std::move(s));
      }
      i = end;
    }
    return out;
  }

 private:
  /// From `begin` on; the predicate that is asked first there is preferred.
  /// Blank lines inside a run belong to it.
  DecidedRun longest_run(const std::vector<PlacedText>& placed, size_t begin)
      const {
    const int first = placed[begin].where->predicate;
    std::set<int> candidates;
    add_predicates(*placed[begin].where, candidates);
    DecidedRun out = run_of(placed, begin, first);
    for (const int predicate : candidates) {
      if (predicate != first && known_.contains(predicate)) {
        const DecidedRun run = run_of(placed, begin, predicate);
        out = run.end > out.end ? run : out;
      }
    }
    return out;
  }

  DecidedRun run_of(
      const std::vector<PlacedText>& placed,
      size_t begin,
      int predicate) const {
    DecidedRun out{predicate, begin + 1};
    for (size_t i = out.end; i < placed.size(); ++i) {
      const Decision& where = *placed[i].where;
      std::set<int> asked;
      add_predicates(where, asked);
      if (where.predicate == predicate ||
          (known_.contains(predicate) && asked.contains(predicate))) {
        out.end = i + 1;
      } else if (!is_blank(placed[i])) {
        break;
      }
    }
    return out;
  }

  std::set<int> known_;
};

std::set<int> known_predicates(
    const std::vector<Sample>& samples,
    const std::vector<int>& order) {
  std::set<int> out(order.begin(), order.end());
  std::erase_if(out, [&](int predicate) {
    return std::any_of(samples.begin(), samples.end(), [&](const Sample& s) {
      return s.truths[predicate] == Truth::Unknown;
    });
  });
  return out;
}

class Merger {
 public:
  Merger(const std::vector<Sample>& samples, const std::vector<int>& order)
      : samples_(samples),
        decider_(samples, order),
        arranger_(known_predicates(samples, order)) {}

  std::optional<Block> merge(
      const std::vector<const Block*>& blocks,
      const Samples& members) {
    if (std::all_of(blocks.begin(), blocks.end(), [&](const Block* b) {
          return *b == *blocks.front();
        })) {
      return *blocks.front();
    }
    const std::vector<Slot> slots = align(blocks, members);
    std::vector<PlacedText> placed;
    for (size_t i = 0; i < slots.size();) {
      const size_t end = alternatives(slots, i, members);
      std::vector<int> labels(samples_.size(), 0);
      for (size_t j = i; j < end; ++j) {
        for (size_t member : slots[j].members) {
          labels[member] = label_of(slots, i, j);
        }
      }
      const bool blank = slots[i].heading.empty();  // harms nobody
      const DecisionPtr where =
          blank ? everywhere() : decider_.decide(labels, members);
      for (size_t j = i; j < end; ++j) {
        auto statement = merge_slot(slots[j]);
        if (!statement || !where) {
          return {};
        }
        placed.push_back(
            {std::move(*statement), where, blank ? 0 : label_of(slots, i, j)});
      }
      i = end;
    }
    return arranger_.arrange(placed);
  }

 private:
  static DecisionPtr everywhere() {
    return std::make_shared<Decision>();
  }

  /// Alternative forms of one place have a label each; neighbours of the same
  /// samples share it.
  static int label_of(const std::vector<Slot>& slots, size_t begin, size_t at) {
    int label = 1;
    for (size_t i = begin; i < at; ++i) {
      label += slots[i].members != slots[i + 1].members;
    }
    return label;
  }

  /// The end of the slots from `begin` of which every sample has one form; the
  /// next slot when they are no alternatives.
  static size_t alternatives(
      const std::vector<Slot>& slots,
      size_t begin,
      const Samples& members) {
    std::set<size_t> covered;
    for (size_t i = begin; i < slots.size(); ++i) {
      const bool goes_on =
          i > begin && slots[i].members == slots[i - 1].members;
      if (slots[i].heading.empty() ||
          (!goes_on && std::any_of(
                           slots[i].members.begin(),
                           slots[i].members.end(),
                           [&](size_t m) { return covered.contains(m); }))) {
        break;
      }
      covered.insert(slots[i].members.begin(), slots[i].members.end());
      if (covered.size() == members.size()) {
        size_t end = i + 1;
        while (end < slots.size() && end > begin + 1 &&
               slots[end].members == slots[i].members) {
          ++end;
        }
        return end;
      }
    }
    return begin + 1;
  }

  std::optional<Statement> merge_slot(const Slot& slot) {
    Statement out;
    out.text = slot.statements.front()->text;
    auto below = [&](auto member) -> std::optional<Block> {
      std::vector<const Block*> blocks;
      for (const Statement* s : slot.statements) {
        blocks.push_back(&(s->*member));
      }
      return merge(blocks, slot.members);
    };
    auto body = below(&Statement::body);
    auto clauses = below(&Statement::clauses);
    if (!body || !clauses) {
      return {};
    }
    out.body = std::move(*body);
    out.clauses = std::move(*clauses);
    return out;
  }

  const std::vector<Sample>& samples_;
  Decider decider_;
  Arranger arranger_;
};

}  // namespace

std::optional<Block> merge(
    const std::vector<Sample>& samples,
    const std::vector<int>& order) {
  std::vector<const Block*> blocks;
  Samples members;
  for (size_t i = 0; i < samples.size(); ++i) {
    blocks.push_back(&samples[i].block);
    members.push_back(i);
  }
  return Merger(samples, order).merge(blocks, members);
}

}  // namespace portwright::emit
