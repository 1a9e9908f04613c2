#include "emit/sharding.h"

#include <algorithm>
#include <optional>
#include <set>
#include <string_view>

#include <fmt/format.h>

#include "emit/config_text.h"

namespace portwright::emit {

namespace {

using Plan = std::map<std::string, std::string>;
using Lines = std::vector<std::string>;
using Splits = std::vector<std::pair<std::string, std::string>>;

/// `self.name = maker(...)`, or a value that nothing makes.
struct Member {
  std::string name, maker;
};

std::optional<Member> member_of(const std::string& line) {
  constexpr std::string_view kSelf = "self.";
  const size_t equals = line.find(" = ");
  if (!line.starts_with(kSelf) || equals == line.npos) {
    return {};
  }
  Member out{line.substr(kSelf.size(), equals - kSelf.size()), ""};
  const std::string value = line.substr(equals + 3);
  size_t end = 0;
  while (end < value.size() && (is_word(value[end]) || value[end] == '.')) {
    ++end;
  }
  if (end > 0 && end < value.size() &&
      (value[end] == '(' || value.starts_with("ACTIVATIONS["))) {
    out.maker = value.substr(0, end);
  }
  return out;
}

const ClassText* class_of(
    const std::vector<ClassText>& classes,
    const std::string& name) {
  const auto it =
      std::find_if(classes.begin(), classes.end(), [&](const auto& c) {
        return c.name == name;
      });
  return it == classes.end() ? nullptr : &*it;
}

/// What is called in the statements: "reshape", "q_proj", "swiglu".
std::set<std::string> called(const Lines& lines) {
  std::set<std::string> out;
  for (const std::string& line : lines) {
    for (size_t open = line.find('('); open != line.npos;
         open = line.find('(', open + 1)) {
      size_t begin = open;
      while (begin > 0 && is_word(line[begin - 1])) {
        --begin;
      }
      if (begin < open) {
        out.insert(line.substr(begin, open - begin));
      }
    }
  }
  return out;
}

/// Changes each column by itself, or keeps the columns of a head together.
const std::set<std::string> kByColumns = {
    "array",
    "astype",
    "contiguous",
    "cos",
    "expand_dims",
    "finfo",
    "gelu",
    "gelu_approx",
    "relu",
    "relu2",
    "reshape",
    "rope",
    "sigmoid",
    "silu",
    "sin",
    "softmax",
    "square",
    "swapaxes",
    "swiglu",
    "tanh",
    "transpose",
    "where",
    "gelu_fast_approx",
    "scaled_dot_product_attention",
    "update_and_fetch"};

/// Every use of the attribute is as a number, or as the size of a head, the
/// last axis of a reshape that leaves the count of heads open.
bool counts_no_heads(const Lines& lines, const std::string& name) {
  const std::string use = "self." + name;
  for (const std::string& line : lines) {
    for (size_t at = line.find(use); at != line.npos;
         at = line.find(use, at + use.size())) {
      const std::string_view before = std::string_view(line).substr(0, at);
      const std::string_view after =
          std::string_view(line).substr(at + use.size());
      if (!after.empty() && is_word(after[0])) {
        continue;  // a longer name
      }
      const bool size_of_head =
          before.ends_with("-1, ") && after.starts_with(")");
      const bool number = before.ends_with("scale=") ||
                          before.ends_with(" * ") || after.starts_with(" * ") ||
                          before.ends_with(" / ") || before.ends_with("if ") ||
                          before.ends_with("ACTIVATIONS[");
      if (!size_of_head && !number) {
        return false;
      }
    }
  }
  return true;
}

/// The linear layers of a module by what each is split into, if it can be.
class Module {
 public:
  Module(
      const std::vector<ClassText>& classes,
      const ClassText& text,
      const Plan& plan,
      std::string path)
      : classes_(classes), text_(text), plan_(plan), path_(std::move(path)) {}

  /// (name, "all-to-sharded" or "sharded-to-all") each; empty: held whole.
  Splits splits() const {
    Splits out;
    bool columns = false, rows = false;
    std::set<std::string> modules;
    for (const std::string& line : text_.init) {
      const auto member = member_of(line);
      if (!member) {
        if (line.find('(') != line.npos || line.starts_with(" ")) {
          return {};  // made by a rule that is not read here
        }
        continue;
      }
      if (member->maker.empty()) {
        if (!counts_no_heads(text_.call, member->name)) {
          return {};
        }
        continue;
      }
      modules.insert(member->name);
      const std::string style = planned(member->name);
      if (member->maker == "nn.Linear") {
        columns = columns || style == "colwise";
        rows = rows || style == "rowwise";
        if (style != "colwise" && style != "rowwise") {
          return {};
        }
        out.emplace_back(
            member->name,
            style == "colwise" ? "all-to-sharded" : "sharded-to-all");
      } else if (
          style != "replicated_with_grad_allreduce" &&
          holds_weights(member->maker)) {
        return {};
      }
    }
    for (const std::string& name : called(text_.call)) {
      if (!modules.contains(name) && !kByColumns.contains(name)) {
        return {};
      }
    }
    return columns && rows ? out : Splits{};
  }

 private:
  std::string planned(const std::string& name) const {
    const auto it = plan_.find(path_ + "." + name);
    return it == plan_.end() ? "" : it->second;
  }

  bool holds_weights(const std::string& maker) const {
    if (maker == "initialize_rope" || maker == "nn.RoPE" ||
        maker == "ACTIVATIONS") {
      return false;
    }
    const ClassText* made = class_of(classes_, maker);
    return !made || std::any_of(
                        made->init.begin(),
                        made->init.end(),
                        [](const std::string& line) {
                          return line.find("nn.") != line.npos ||
                                 line.find("mx.") != line.npos;
                        });
  }

  const std::vector<ClassText>& classes_;
  const ClassText& text_;
  const Plan& plan_;
  std::string path_;
};

/// The one class that a list of layers is made of; null where there are more.
const ClassText* layer_class(const std::vector<ClassText>& classes) {
  const ClassText* found = nullptr;
  for (const ClassText& c : classes) {
    for (const std::string& line : c.init) {
      const size_t list = line.find(" = [");
      if (list == line.npos || line.find(" for ", list) == line.npos) {
        continue;
      }
      const size_t open = line.find('(', list);
      const ClassText* made =
          open == line.npos
              ? nullptr
              : class_of(classes, line.substr(list + 4, open - list - 4));
      if (found || !made) {
        return nullptr;
      }
      found = made;
    }
  }
  return found;
}

bool has_linear(const ClassText& text) {
  return std::any_of(text.init.begin(), text.init.end(), [](const auto& line) {
    return line.find("nn.Linear(") != line.npos;
  });
}

/// The plan's paths leave out what comes before the backbone's own names.
std::string planned_path(const std::string& layers_path, const Plan& plan) {
  for (size_t at = 0;;) {
    const std::string path = layers_path.substr(at) + ".*";
    if (std::any_of(plan.begin(), plan.end(), [&](const auto& entry) {
          return entry.first.starts_with(path + ".");
        })) {
      return path;
    }
    at = layers_path.find('.', at);
    if (at == layers_path.npos) {
      return "";
    }
    ++at;
  }
}

}  // namespace

std::string shard_method(
    const std::vector<ClassText>& classes,
    const std::string& layers_path,
    const std::map<std::string, std::string>& plan) {
  const ClassText* layer = layer_class(classes);
  const std::string path = planned_path(layers_path, plan);
  if (!layer || path.empty()) {
    return "";
  }
  std::string body;
  for (const std::string& line : layer->init) {
    const auto member = member_of(line);
    if (!member && line.find('(') != line.npos) {
      return "";  // layers differ in what they hold
    }
    const ClassText* made = member ? class_of(classes, member->maker) : nullptr;
    if (!made) {
      if (member && member->maker == "nn.Linear") {
        return "";
      }
      continue;
    }
    if (std::any_of(made->init.begin(), made->init.end(), [](const auto& l) {
          return l.find(" = Switch") != l.npos;
        })) {
      return "";  // experts would have to be summed up by their own module
    }
    if (!has_linear(*made)) {
      continue;
    }
    Module module(classes, *made, plan, path + "." + member->name);
    for (const auto& [name, style] : module.splits()) {
      body += fmt::format(
          "        layer.{0}.{1} = shard_linear(layer.{0}.{1}, \"{2}\", "
          "group=group)\n",
          member->name,
          name,
          style);
    }
  }
  if (body.empty()) {
    return "";
  }
  return fmt::format(
      "def shard(self, group: Optional[mx.distributed.Group] = None):\n"
      "    group = group or mx.distributed.init()\n"
      "    for layer in self.{}:\n{}",
      layers_path,
      body);
}

std::map<std::string, std::string> tensor_parallel_plan(Context& context) {
  std::map<std::string, std::string> out;
  const eval::Value plan = context.interp.try_getattr(
      context.evaluation.config, eval::Symbol("base_model_tp_plan"));
  if (!plan.is(eval::Kind::Dict)) {
    return out;
  }
  for (const auto& entry : plan.get<eval::Dict>()->entries()) {
    if (entry.key.defined() && entry.key.is_str() && entry.value.is_str()) {
      out.emplace(entry.key.str(), entry.value.str());
    }
  }
  return out;
}

}  // namespace portwright::emit
