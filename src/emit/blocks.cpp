#include "emit/blocks.h"

namespace portwright::emit {

namespace {

size_t indent_of(const std::string& line) {
  const size_t at = line.find_first_not_of(' ');
  return at == std::string::npos ? 0 : at;
}

bool continues(std::string_view text) {
  return text.starts_with("else:") || text.starts_with("elif ") ||
         text.starts_with("except") || text.starts_with("finally:");
}

class Parser {
 public:
  explicit Parser(const std::vector<std::string>& lines) : lines_(lines) {}

  Block block(size_t indent) {
    Block out;
    while (at_ < lines_.size()) {
      const std::string& line = lines_[at_];
      if (line.empty()) {
        if (!belongs_after_blank(indent)) {
          break;
        }
        ++at_;
        out.emplace_back();
        continue;
      }
      if (indent_of(line) < indent) {
        break;
      }
      Statement s;
      s.text = line.substr(indent);
      ++at_;
      if (s.text.ends_with(":")) {
        s.body = block(indent + 4);
      }
      if (continues(s.text) && !out.empty()) {
        out.back().clauses.push_back(std::move(s));
      } else {
        out.push_back(std::move(s));
      }
    }
    return out;
  }

 private:
  /// A blank line ends an inner block when what follows stands further left.
  bool belongs_after_blank(size_t indent) const {
    for (size_t i = at_; i < lines_.size(); ++i) {
      if (!lines_[i].empty()) {
        return indent_of(lines_[i]) >= indent;
      }
    }
    return indent == 0;
  }

  const std::vector<std::string>& lines_;
  size_t at_ = 0;
};

bool is_blank(const Block& block) {
  return std::all_of(block.begin(), block.end(), [](const Statement& s) {
    return s.text.empty() && s.choice < 0;
  });
}

bool leaves(const Block& block) {
  return !block.empty() && block.back().choice < 0 &&
         (block.back().text.starts_with("return ") ||
          block.back().text.starts_with("raise "));
}

void write(
    const Block& block,
    Conditions& conditions,
    const std::string& indent,
    std::vector<std::string>& out);

/// A condition as a part of another.
std::string enclosed(const std::string& test) {
  const bool weak = test.find(" or ") != std::string::npos ||
                    test.find(" if ") != std::string::npos;
  return weak ? "(" + test + ")" : test;
}

/// `if x:` that has nothing to do else.
bool is_test(const Statement& s) {
  return s.choice < 0 && s.text.starts_with("if ") && s.clauses.empty();
}

/// One choice alone: the `elif` of the one before it, or a part of its test.
bool is_chain(const Block& block) {
  return block.size() == 1 && block.front().choice >= 0;
}

/// A choice with what is done where its condition holds, and where not.
struct Sides {
  std::string test;
  const Block* first;
  const Block* second;
};

Sides sides_of(const Statement& s, Conditions& conditions) {
  // Rather `if x:` than `if not x:`, where both have something to do.
  const bool negative = !is_blank(s.clauses) && !is_chain(s.clauses) &&
                        !leaves(s.body) &&
                        conditions.text(s.choice, true).starts_with("not ");
  const bool swapped = is_blank(s.body) || negative;
  Sides out{
      conditions.text(s.choice, !swapped),
      swapped ? &s.clauses : &s.body,
      swapped ? &s.body : &s.clauses};
  // What a condition alone stands below: `if x and y:`.
  while (is_blank(*out.second) && is_chain(*out.first)) {
    const Sides inner = sides_of(out.first->front(), conditions);
    if (!is_blank(*inner.second)) {
      break;
    }
    out.test = enclosed(out.test) + " and " + enclosed(inner.test);
    out.first = inner.first;
  }
  return out;
}

void write_choice(
    const Statement& s,
    Conditions& conditions,
    const std::string& indent,
    std::vector<std::string>& out) {
  if (is_blank(s.body) && is_blank(s.clauses)) {
    return;
  }
  const auto [test, first, second] = sides_of(s, conditions);
  if (is_blank(*second) && first->size() == 1 && is_test(first->front())) {
    constexpr size_t kIf = 3;  // "if "
    const Statement& inner = first->front();
    const std::string own = inner.text.substr(kIf, inner.text.size() - kIf - 1);
    out.push_back(
        indent + "if " + enclosed(test) + " and " + enclosed(own) + ":");
    write(inner.body, conditions, indent + "    ", out);
    return;
  }
  out.push_back(indent + "if " + test + ":");
  write(*first, conditions, indent + "    ", out);
  if (is_blank(*second)) {
    return;
  }
  if (leaves(*first)) {
    write(*second, conditions, indent, out);
    return;
  }
  const size_t at = out.size();
  if (is_chain(*second)) {
    write_choice(second->front(), conditions, indent, out);
    out[at] = indent + "el" + out[at].substr(indent.size());
    return;
  }
  out.push_back(indent + "else:");
  write(*second, conditions, indent + "    ", out);
}

void write(
    const Block& block,
    Conditions& conditions,
    const std::string& indent,
    std::vector<std::string>& out) {
  for (const Statement& s : block) {
    if (s.choice >= 0) {
      write_choice(s, conditions, indent, out);
      continue;
    }
    out.push_back(s.text.empty() ? "" : indent + s.text);
    write(s.body, conditions, indent + "    ", out);
    write(s.clauses, conditions, indent, out);
  }
}

}  // namespace

std::string Statement::heading() const {
  std::string out = text;
  for (const Statement& clause : clauses) {
    out += "\n" + clause.text;
  }
  return out;
}

Block parse_block(const std::vector<std::string>& lines) {
  return Parser(lines).block(0);
}

std::vector<std::string> lines_of(const Block& block, Conditions& conditions) {
  std::vector<std::string> out;
  write(block, conditions, "", out);
  return out;
}

}  // namespace portwright::emit
