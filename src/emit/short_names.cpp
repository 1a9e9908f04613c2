#include "emit/short_names.h"

#include <algorithm>
#include <string_view>

#include "emit/config_text.h"
#include "emit/expression.h"
#include "emit/statements.h"

namespace portwright::emit {

namespace {

/// A field and the name that stands for it.
struct Alias {
  std::string field, name;
};

/// Where an attribute is the field: "self.n_heads = args.n_head".
template <typename Lines>
auto attribute_line(Lines& lines, const std::string& field) {
  const std::string end = " = args." + field;
  return std::find_if(lines.begin(), lines.end(), [&](const auto& line) {
    return line.starts_with("self.") && line.ends_with(end) &&
           line.find(' ') == line.size() - end.size();
  });
}

/// The attribute's name; else what mlx-lm's files call these sizes, or the
/// field's own.
std::string short_name(const ClassText& text, const std::string& field) {
  const auto own = attribute_line(text.init, field);
  if (own != text.init.end()) {
    constexpr size_t kSelf = 5;
    return own->substr(kSelf, own->find(' ') - kSelf);
  }
  static const std::map<std::string, std::string> kHouse = {
      {"hidden_size", "dim"},
      {"num_attention_heads", "n_heads"},
      {"num_key_value_heads", "n_kv_heads"},
  };
  const auto it = kHouse.find(field);
  return it == kHouse.end() ? field : it->second;
}

constexpr std::string_view kArgs = "args.";

/// Where the first word from `from` on is `text`; npos where none is.
size_t find_word(const std::string& line, std::string_view text, size_t from) {
  size_t at = line.find(text, from);
  while (at != line.npos) {
    const size_t end = at + text.size();
    if ((at == 0 || !is_word(line[at - 1])) &&
        (end == line.size() || !is_word(line[end]))) {
      return at;
    }
    at = line.find(text, at + 1);
  }
  return at;
}

/// The name that is read of `args` at the earliest from `from` on, which then
/// stands behind it; "" where none is.
std::string next_field(const std::string& line, size_t& from) {
  for (size_t at = line.find(kArgs, from); at != line.npos;
       at = line.find(kArgs, from)) {
    from = at + kArgs.size();
    const size_t start = from;
    while (from < line.size() && is_word(line[from])) {
      ++from;
    }
    if (from > start && (at == 0 || !is_word(line[at - 1]))) {
      return line.substr(start, from - start);
    }
  }
  return "";
}

/// True where the line has a variable of that name.
bool names(const std::string& line, const std::string& name) {
  for (size_t at = find_word(line, name, 0); at != line.npos;
       at = find_word(line, name, at + 1)) {
    if (at == 0 || line[at - 1] != '.') {
      return true;
    }
  }
  return false;
}

std::string with_names(std::string line, const std::vector<Alias>& aliases) {
  for (const Alias& alias : aliases) {
    const std::string reading = std::string(kArgs) + alias.field;
    for (size_t at = find_word(line, reading, 0); at != line.npos;
         at = find_word(line, reading, at + alias.name.size())) {
      line.replace(at, reading.size(), alias.name);
    }
  }
  return line;
}

/// The fields that are read more than once, in order.
std::vector<Alias> candidates(const ClassText& text) {
  std::vector<std::string> order;
  std::map<std::string, int> counts;
  for (const auto& line : text.init) {
    size_t at = 0;
    for (auto field = next_field(line, at); !field.empty();
         field = next_field(line, at)) {
      if (counts[field]++ == 0) {
        order.push_back(field);
      }
    }
  }
  std::vector<Alias> out;
  for (const auto& field : order) {
    const std::string name = short_name(text, field);
    const auto taken = [&](const std::string& line) {
      return names(line, name);
    };
    if (counts[field] > 1 &&
        std::none_of(text.init.begin(), text.init.end(), taken) &&
        std::none_of(text.init_params.begin(), text.init_params.end(), taken)) {
      out.push_back({field, name});
    }
  }
  return out;
}

std::vector<std::string> renamed(
    const std::vector<std::string>& lines,
    const std::vector<Alias>& aliases) {
  std::vector<std::string> out, rest = lines;
  for (const auto& alias : aliases) {
    // An attribute that is the field names it as well.
    const auto own = attribute_line(rest, alias.field);
    std::string start = alias.name;
    if (own != rest.end()) {
      start = own->substr(0, own->find(" =")) + " = " + alias.name;
      rest.erase(own);
    }
    out.push_back(start + " = args." + alias.field);
  }
  for (const auto& line : rest) {
    out.push_back(with_names(line, aliases));
  }
  return out;
}

/// True for one short line that black leaves one: spaces that it might add
/// leave it short.
bool stays_one_line(const std::string& statement) {
  constexpr size_t kShort = 80;
  return statement.size() <= kShort &&
         statement.find('\n') == statement.size() - 1 &&
         statement.find(",)") == statement.npos &&
         statement.find(",]") == statement.npos &&
         statement.find(",}") == statement.npos &&
         !statement.ends_with(":\n") && statement.find('#') == statement.npos;
}

/// How many lines black makes of statements; those that a choice of names
/// leaves as they were are laid out once.
class Heights {
 public:
  /// npos where they do not parse.
  size_t of(const std::vector<std::string>& lines) {
    size_t sum = 0;
    std::string statement;
    for (const auto& line : lines) {
      const bool goes_on = line.empty() || line.starts_with(' ') ||
                           line.starts_with("else:") ||
                           line.starts_with("elif ");
      if (!goes_on && !add(statement, sum)) {
        return std::string::npos;
      }
      statement += line.empty() ? "\n" : "        " + line + "\n";
    }
    return add(statement, sum) ? sum : std::string::npos;
  }

 private:
  /// Empties the statement.
  bool add(std::string& statement, size_t& sum) {
    if (!statement.empty()) {
      const auto [it, fresh] = known_.try_emplace(statement, 1);
      if (fresh && !stays_one_line(statement)) {
        it->second = printed_height(statement).value_or(std::string::npos);
      }
      statement.clear();
      sum += it->second;
      return it->second != std::string::npos;
    }
    return true;
  }

  std::map<std::string, size_t> known_;
};

}  // namespace

void use_short_names(ClassText& text) {
  std::vector<Alias> chosen = candidates(text);
  if (chosen.empty()) {
    return;
  }
  Heights heights;
  const size_t before = heights.of(text.init);
  size_t now = heights.of(renamed(text.init, chosen));
  for (size_t i = chosen.size(); i-- > 0;) {
    std::vector<Alias> fewer = chosen;
    fewer.erase(fewer.begin() + static_cast<std::ptrdiff_t>(i));
    if (const size_t lines = heights.of(renamed(text.init, fewer));
        lines <= now) {
      now = lines;
      chosen = std::move(fewer);
    }
  }
  if (!chosen.empty() && now != std::string::npos && now < before) {
    text.init = renamed(text.init, chosen);
  }
}

}  // namespace portwright::emit
