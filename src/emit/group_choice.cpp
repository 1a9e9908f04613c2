#include "emit/group_choice.h"

#include "emit/config_text.h"
#include "emit/sharding/makers.h"
#include "emit/statements.h"

namespace portwright::emit {

namespace ast = syntax;
using sharding::spelling;

namespace {

/// The lines of one such choice, and what is written for them.
struct GroupChoice {
  size_t chosen = 0, mask = 0, masked = 0, grouped = 0;
  std::string groups;  // scores.reshape(-1, groups, experts of each)
  std::string rest;    // the partition's other end
  std::string name;    // of what was chosen
  std::string target, scores, fill;
};

std::string only_target(const Assignment& a) {
  return a.targets.size() == 1 ? a.targets.front() : "";
}

/// x.shape of x, as the source of mx.zeros(x.shape, x.dtype).
std::string zeros_like(const ast::Expr& e) {
  const ast::Call* call = call_to(e, "mx.zeros");
  const std::string of =
      call && call->args.size() == 2 ? spelling(*call->args[0]) : std::string();
  const size_t dot = of.rfind(".shape");
  const std::string name = of.substr(0, dot);
  return dot != std::string::npos && of == name + ".shape" &&
                 spelling(*call->args[1]) == name + ".dtype"
             ? name
             : "";
}

std::string axis_of(const ast::Call& call) {
  const ast::Expr* axis = sharding::keyword(call, "axis");
  return axis ? spelling(*axis) : "";
}

class Choices {
 public:
  explicit Choices(const Lines& lines) : lines_(lines) {
    for (const std::string& line : lines) {
      made_.push_back(assignment(line));
    }
  }

  std::optional<GroupChoice> find() const {
    for (size_t i = 0; i < lines_.size(); ++i) {
      if (made_[i]) {
        if (auto out = at_mask(i)) {
          return out;
        }
      }
    }
    return {};
  }

 private:
  /// mask = mx.repeat(mx.put_along_axis(mx.zeros(s.shape, s.dtype), chosen,
  ///     mx.array(1), axis=1), each, axis=-1)
  std::optional<GroupChoice> at_mask(size_t i) const {
    const ast::Call* repeat = call_to(*made_[i]->value, "mx.repeat");
    const ast::Call* put = repeat && repeat->args.size() == 2
                               ? call_to(*repeat->args[0], "mx.put_along_axis")
                               : nullptr;
    if (!put || axis_of(*repeat) != "-1" || axis_of(*put) != "1" ||
        put->args.size() != 3 || spelling(*put->args[2]) != "mx.array(1)") {
      return {};
    }
    GroupChoice out;
    out.mask = i;
    const std::string ranked = zeros_like(*put->args[0]);
    const std::string chosen = spelling(*put->args[1]);
    const std::string mask = only_target(*made_[i]);
    const bool once = count_of(lines_, mask) == 2 && !ranked.empty() &&
                      count_of(lines_, chosen) == 2;
    if (!once || !find_chosen(chosen, ranked, out) || !find_masked(mask, out) ||
        !find_grouped(ranked, spelling(*repeat->args[1]), out)) {
      return {};
    }
    return out;
  }

  bool alike(size_t a, size_t b) const {
    return made_[a]->indent == made_[b]->indent;
  }

  /// chosen = mx.stop_gradient(mx.argpartition(-s, kth=k - 1, axis=-1)[...,
  /// :k])
  bool find_chosen(
      const std::string& name,
      const std::string& ranked,
      GroupChoice& out) const {
    for (size_t i = 0; i < out.mask; ++i) {
      if (!made_[i] || only_target(*made_[i]) != name || !alike(i, out.mask)) {
        continue;
      }
      const std::string text = spelling(*made_[i]->value);
      const std::string start =
          "mx.stop_gradient(mx.argpartition(-" + ranked + ", kth=";
      const size_t minus = text.find(" - 1, axis=-1)[..., :");
      if (!text.starts_with(start) || minus == std::string::npos) {
        return false;
      }
      const std::string k = text.substr(start.size(), minus - start.size());
      const std::string partition = text.substr(0, text.find("[..., :"));
      out.chosen = i;
      out.name = name;
      out.rest = partition + "[..., " + k + ":])";
      return text == partition + "[..., :" + k + "])";
    }
    return false;
  }

  /// masked = mx.where(mask.astype(mx.bool_), scores, fill)
  bool find_masked(const std::string& mask, GroupChoice& out) const {
    for (size_t i = out.mask + 1; i < lines_.size(); ++i) {
      const ast::Call* where =
          made_[i] ? call_to(*made_[i]->value, "mx.where") : nullptr;
      if (where && where->args.size() == 3 && alike(i, out.mask) &&
          spelling(*where->args[0]) == mask + ".astype(mx.bool_)") {
        out.masked = i;
        out.target = only_target(*made_[i]);
        out.scores = spelling(*where->args[1]);
        out.fill = spelling(*where->args[2]);
        return !out.target.empty();
      }
    }
    return false;
  }

  /// The line that ranks groups reads scores.reshape(-1, groups, each).
  bool find_grouped(
      const std::string& ranked,
      const std::string& each,
      GroupChoice& out) const {
    const std::string start = out.scores + ".reshape(-1, ";
    const std::string end = ", " + each + ")";
    for (size_t i = 0; i < out.chosen; ++i) {
      const size_t at = lines_[i].find(start);
      const size_t stop =
          at == std::string::npos ? at : lines_[i].find(end, at + start.size());
      if (made_[i] && stop != std::string::npos && alike(i, out.mask) &&
          lines_[i]
                  .substr(at + start.size(), stop - at - start.size())
                  .find_first_of(",()") == std::string::npos &&
          leads_to(i, ranked, out.chosen)) {
        out.grouped = i;
        out.groups = lines_[i].substr(at, stop + end.size() - at);
        return true;
      }
    }
    return false;
  }

  /// What the line makes is `name`, or the next line makes that of it.
  bool leads_to(size_t i, const std::string& name, size_t before) const {
    const std::string target = only_target(*made_[i]);
    return target == name || (i + 1 < before && made_[i + 1] &&
                              only_target(*made_[i + 1]) == name &&
                              count_of({lines_[i + 1]}, target) > 0);
  }

  const Lines& lines_;
  std::vector<std::optional<Assignment>> made_;
};

}  // namespace

void write_to_other_groups(ClassText& text) {
  const auto found = any_has(text.call, "mx.repeat(mx.put_along_axis(")
                         ? Choices(text.call).find()
                         : std::nullopt;
  if (!found) {
    return;
  }
  const std::string groups = unused_name(text.call, "grouped");
  const std::string others = unused_name(text.call, "group_idx");
  Lines out;
  for (size_t i = 0; i < text.call.size(); ++i) {
    std::string line = text.call[i];
    const std::string indent = line.substr(0, line.find_first_not_of(' '));
    if (i == found->grouped) {
      out.push_back(indent + groups + " = " + found->groups);
      line.replace(line.find(found->groups), found->groups.size(), groups);
    } else if (i == found->chosen) {
      line = indent + others + " = " + found->rest;
    } else if (i == found->mask) {
      continue;
    } else if (i == found->masked) {
      line = indent + found->target + " = mx.put_along_axis(" + groups + ", " +
             others + "[..., None], mx.array(" + found->fill +
             "), axis=1).reshape(" + found->scores + ".shape)";
    }
    // The name is free for what came after it.
    out.push_back(renamed(line, {{found->name + "2", found->name}}));
  }
  text.call = std::move(out);
}

}  // namespace portwright::emit
