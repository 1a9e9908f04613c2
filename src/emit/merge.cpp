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

PlacedText side_of(const PlacedText& p, int predicate, bool holds) {
  // What holds everywhere (a blank line) holds on both sides.
  return {
      p.statement,
      p.where->predicate != predicate ? p.where
      : holds                         ? p.where->when
                                      : p.where->otherwise,
      p.label};
}

Block arrange(const std::vector<PlacedText>& placed);

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

Block arrange(const std::vector<PlacedText>& placed) {
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
    // The longest run that the same predicate decides; blank lines inside
    // belong to it.
    size_t end = i + 1;
    for (size_t j = end; j < placed.size(); ++j) {
      if (placed[j].where->predicate == where.predicate) {
        end = j + 1;
      } else if (!is_blank(placed[j])) {
        break;
      }
    }
    std::vector<PlacedText> when, otherwise;
    for (size_t j = i; j < end; ++j) {
      when.push_back(side_of(placed[j], where.predicate, true));
      otherwise.push_back(side_of(placed[j], where.predicate, false));
    }
    for (Statement& s :
         choose(where.predicate, arrange(when), arrange(otherwise))) {
      out.push_back(std::move(s));
    }
    i = end;
  }
  return out;
}

class Merger {
 public:
  Merger(const std::vector<Sample>& samples, const std::vector<int>& order)
      : samples_(samples), decider_(samples, order) {}

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
    return arrange(placed);
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
