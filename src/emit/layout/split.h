#pragma once

#include <functional>
#include <optional>
#include <unordered_set>
#include <vector>

#include "emit/layout/line.h"
#include "emit/layout/tree.h"

namespace portwright::emit::printing {

/// What the versions of Python that a module can run on allow.
struct Features {
  /// A trailing comma behind `*args` and `**kwargs`.
  bool comma_after_star_in_call = false;
  bool comma_after_star_in_def = false;
  /// Optional parentheses are to be taken; set while a second opinion is asked.
  bool force_parentheses = false;
};

using Lines = std::vector<Line>;
/// No value: this way of splitting does not apply.
using Split = std::optional<Lines>;
/// Closing brackets not to be split at.
using Omit = std::unordered_set<const Node*>;

/// The lines that a logical line becomes.
void split_line(Tree& tree, Line line, const Features& features, Lines& out);

// ---- ways to split, each one step ----

/// At the first brackets: signatures.
Split left_hand_split(Tree& tree, const Line& line);
/// At the last brackets, some of them left out.
Split right_hand_split(
    Tree& tree,
    const Line& line,
    const Features& features,
    const Omit& omit);
/// At the last brackets that leave a first line that fits.
Split best_right_hand_split(
    Tree& tree,
    const Line& line,
    const Features& features);
/// At all delimiters of the highest priority, inside brackets.
Split delimiter_split(Tree& tree, const Line& line, const Features& features);
Split standalone_comment_split(const Line& line);
/// `x ** 2` as `x**2` where both sides are simple.
Split hug_power_operators(Tree& tree, const Line& line);

// ---- parts of those ----

enum class Part { Head, Body, Tail };

/// The line of a bracket split's part; comments of `original` go along, and a
/// body gets the trailing comma that it should have.
Line build_part(
    Tree& tree,
    std::vector<Node*> leaves,
    const Line& original,
    const Node* opening,
    Part part);
/// Whether a split into these says anything.
bool worth_splitting(const Line& body, const Line& tail);
void make_visible(Node* bracket);

struct RightHandSplit {
  Line head;
  Line body;
  Line tail;
  Node* opening;
  Node* closing;
};
/// Whether `split.body` reads well without optional parentheses around it.
bool can_omit_parentheses(const RightHandSplit& split);
/// Whether to prefer a split inside the optional parentheses to `split`, at
/// them.
bool prefer_inner_split(
    const RightHandSplit& inner,
    const RightHandSplit& split);
/// Calls `attempt` with growing sets of trailers at the end of a line to leave
/// out of a split, until it returns true. Attempts may make parentheses
/// visible, which the next set takes into account.
bool each_trailers_to_omit(
    const Line& line,
    const std::function<bool(const Omit&)>& attempt);

}  // namespace portwright::emit::printing
