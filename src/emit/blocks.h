#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace portwright::emit {

struct Statement;
using Block = std::vector<Statement>;

/// One statement of emitted Python, with what stands below it. A choice is a
/// place where variants differ: `body` where the predicate holds, `clauses`
/// where it does not.
struct Statement {
  std::string text;  // "h = x + y", "if x:"; "" is a blank line
  Block body;        // below a header that ends with ":"
  Block clauses;     // the elif and else that follow it
  int choice = -1;   // index of the predicate, or no choice
  bool operator==(const Statement&) const = default;

  /// What two statements share that may differ below: the headers.
  std::string heading() const;
};

/// Lines as written, four spaces a level, one logical line each.
Block parse_block(const std::vector<std::string>& lines);

/// The condition of a choice in Python, or its opposite.
class Conditions {
 public:
  virtual ~Conditions() = default;
  virtual std::string text(int predicate, bool holds) = 0;
};

/// The lines of a block; choices become `if` statements.
std::vector<std::string> lines_of(const Block& block, Conditions& conditions);

/// The block as it is for one sample: choices taken. `holds` says what a
/// predicate is for it.
template <typename Holds>
Block specialised(const Block& block, const Holds& holds) {
  Block out;
  for (const Statement& s : block) {
    if (s.choice >= 0) {
      const Block side =
          specialised(holds(s.choice) ? s.body : s.clauses, holds);
      out.insert(out.end(), side.begin(), side.end());
    } else {
      Statement copy = s;
      copy.body = specialised(s.body, holds);
      copy.clauses = specialised(s.clauses, holds);
      out.push_back(std::move(copy));
    }
  }
  return out;
}

}  // namespace portwright::emit
