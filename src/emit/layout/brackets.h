#pragma once

#include <utility>
#include <vector>

#include "emit/layout/tree.h"

namespace portwright::emit::printing {

/// How gladly a line is broken at a delimiter; the highest on a line wins.
enum Priority : int {
  kNoDelimiter = 0,
  kDotPriority = 1,
  kPowerPriority = 2,
  kTildePriority = 3,
  kTermPriority = 4,
  kArithPriority = 5,
  kShiftPriority = 6,
  kAndPriority = 7,
  kXorPriority = 8,
  kOrPriority = 9,
  kComparatorPriority = 10,
  kStringPriority = 12,
  kLogicPriority = 14,
  kTernaryPriority = 16,
  kCommaPriority = 18,
  kComprehensionPriority = 20,
};

/// Follows the leaves of a line: matches brackets and keeps the delimiters that
/// stand outside all brackets that opened on the line.
class BracketTracker {
 public:
  /// Sets the leaf's depth and, of a closing bracket, its opening one.
  void mark(Node* leaf);

  bool at_top() const {
    return depth_ == 0;
  }
  bool any_open() const {
    return !open_.empty();
  }
  /// Between `for` and `in`, or `lambda` and its colon: their commas are none.
  bool inside_for_or_lambda() const {
    return !for_depths_.empty() || !lambda_depths_.empty();
  }
  /// The innermost open bracket where it is `[`.
  const Node* open_subscript() const;

  bool has_delimiters() const {
    return !delimiters_.empty();
  }
  /// kNoDelimiter for none.
  int max_priority(const Node* exclude = nullptr) const;
  int count(int priority) const;
  /// Pairs of a leaf to break behind and the priority, in order of the line.
  const std::vector<std::pair<Node*, int>>& delimiters() const {
    return delimiters_;
  }
  /// The invisible parentheses marked so far.
  const std::vector<Node*>& invisible() const {
    return invisible_;
  }

 private:
  struct Open {
    int depth;
    Kind close;
    Node* bracket;
  };
  std::vector<Open>::iterator find_open(int depth, Kind close);

  int depth_ = 0;
  std::vector<Open> open_;
  std::vector<std::pair<Node*, int>> delimiters_;
  Node* previous_ = nullptr;
  std::vector<int> for_depths_;
  std::vector<int> lambda_depths_;
  std::vector<Node*> invisible_;
};

/// The highest priority inside an atom in parentheses, else kNoDelimiter.
int max_priority_in_atom(const Node& atom);

/// The leaves from the first opening bracket on that stand inside brackets
/// closed again, brackets included; one flag a leaf.
std::vector<bool> inside_matching_brackets(const std::vector<Node*>& leaves);

}  // namespace portwright::emit::printing
