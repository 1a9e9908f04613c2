#include <deque>
#include <unordered_map>

#include "base/check.h"
#include "torch/dispatch.h"

namespace portwright::torch {
namespace {

using eval::Signature;

std::string_view trimmed(std::string_view s) {
  while (!s.empty() && s.front() == ' ') {
    s.remove_prefix(1);
  }
  while (!s.empty() && s.back() == ' ') {
    s.remove_suffix(1);
  }
  return s;
}

/// "name(parameters)" taken apart.
std::pair<std::string, std::string_view> split_signature(std::string_view s) {
  const size_t open = s.find('(');
  PW_CHECK(
      open != s.npos && s.back() == ')', "op signature: " + std::string(s));
  return {
      std::string(s.substr(0, open)), s.substr(open + 1, s.size() - open - 2)};
}

std::string last_component(const std::string& name) {
  return name.substr(name.rfind('.') + 1);
}

/// Adds keyword-only parameters.
std::string with_keywords(std::string_view text, std::string_view keywords) {
  const bool keyword_only =
      text.starts_with('*') || text.find(", *") != text.npos;
  return fmt::format(
      "{}{}{}",
      text,
      text.empty()   ? "*, "
      : keyword_only ? ", "
                     : ", *, ",
      keywords);
}

/// f(*size) may be called f(size=...): the rest gets another name here.
std::string with_named_rest(std::string_view text) {
  const size_t at = text.find('*');
  if (at == text.npos || at + 1 == text.size() || text[at + 1] == ',' ||
      text[at + 1] == '*') {
    return std::string(text);
  }
  const std::string_view before = text.substr(0, at);
  const std::string_view rest = text.substr(at + 1);
  const size_t length = std::min(rest.find(','), rest.size());
  return fmt::format(
      "{}*rest_of_{}, {}=...{}",
      before,
      rest.substr(0, length),
      rest.substr(0, length),
      rest.substr(length));
}

/// True where one of the parameters has that name.
bool has_parameter(std::string_view text, std::string_view name) {
  for (size_t at = text.find(name); at != text.npos;
       at = text.find(name, at + 1)) {
    const char before = at ? text[at - 1] : ' ';
    const size_t end = at + name.size();
    const char after = end < text.size() ? text[end] : ',';
    if (before == ' ' && (after == ',' || after == '=')) {
      return true;
    }
  }
  return false;
}

/// f(input, dim) may be called f(input, axis=...): it gets a default, and what
/// is given by neither name is told when it is called.
std::string with_default(std::string_view text, std::string_view name) {
  const std::string required = fmt::format(", {},", name);
  std::string out = fmt::format("{},", text);
  if (const size_t at = out.find(required); at != out.npos) {
    out.insert(at + required.size() - 1, "=...");
  }
  out.pop_back();
  return out;
}

/// The parameters by which a form is called: torch's functions take out= (to
/// be refused), and what has an axis numpy's names too.
std::string form_parameters(std::string_view given, bool function) {
  std::string text = with_named_rest(given);
  if (given.find("keepdim=") != given.npos) {
    text = with_keywords(text, "axis=..., keepdims=...");
  } else if (has_parameter(given, "dim")) {
    text = with_keywords(with_default(text, "dim"), "axis=...");
  }
  if (function && given.find("out=") == given.npos) {
    text = with_keywords(text, "out=None");
  }
  return text;
}

struct Table {
  std::deque<Op> ops;
  std::unordered_map<std::string, const Op*> by_name;
  std::vector<Form> forms;

  Table() {
    for (auto specs :
         {arithmetic_ops(),
          unary_ops(),
          compare_ops(),
          activation_ops(),
          reduce_ops(),
          scan_ops(),
          shape_ops(),
          split_join_ops(),
          create_ops(),
          convert_ops(),
          linear_ops(),
          attention_ops(),
          norm_ops(),
          gather_scatter_ops(),
          sort_ops(),
          conv_ops(),
          in_place_ops(),
          complex_ops(),
          linalg_ops()}) {
      for (const OpSpec& spec : specs) {
        add(spec);
      }
    }
    for (Form& form : forms) {
      if (auto it = by_name.find(last_component(form.op->name) + "_");
          it != by_name.end() && it->second->functional == form.op) {
        form.in_place = it->second;
      }
    }
  }

  const Op* add_op(Op op) {
    PW_CHECK(!by_name.contains(op.name), "two ops named " + op.name);
    ops.push_back(std::move(op));
    return by_name[ops.back().name] = &ops.back();
  }

  void add(const OpSpec& spec) {
    auto [name, parameters] = split_signature(spec.signature);
    const bool in_place = name.back() == '_' && !name.ends_with("__");
    const Op* op = add_op(
        {name, Signature::parse(parameters), spec.body, in_place, nullptr});
    const Op* twin = nullptr;
    std::string_view rest = spec.forms;
    while (!rest.empty()) {
      const size_t end = rest.find(';');
      std::string_view text = trimmed(rest.substr(0, end));
      rest = end == rest.npos ? std::string_view{} : rest.substr(end + 1);
      if (text.starts_with("inplace") && !twin) {
        twin = add_op(
            {last_component(name) + "_", op->signature, spec.body, true, op});
      }
      add_form(text.starts_with("inplace") ? twin : op, parameters, text);
    }
  }

  void
  add_form(const Op* op, std::string_view parameters, std::string_view text) {
    Form form;
    form.op = op;
    std::string own_signature;
    if (const size_t open = text.find('('); open != text.npos) {
      own_signature = split_signature(text).second;
      text = text.substr(0, open);
    }
    const size_t colon = text.find(':');
    form.module = text.substr(0, colon);
    form.name = colon == text.npos ? last_component(op->name)
                                   : std::string(text.substr(colon + 1));
    const bool function = form.module != "tensor" &&
                          form.module != "property" &&
                          form.module != "inplace" && form.module != "F";
    if (own_signature.empty()) {
      own_signature = parameters;
    }
    form.signature = Signature::parse(form_parameters(own_signature, function));
    map_parameters(form);
    forms.push_back(std::move(form));
  }

  static void map_parameters(Form& form) {
    const auto& own = form.signature.params;
    const auto& params = form.op->signature.params;
    const auto position = [&](std::string_view name) {
      for (size_t i = 0; i < own.size(); ++i) {
        if (own[i].name.str() == name) {
          return static_cast<int>(i);
        }
      }
      return -1;
    };
    std::vector<bool> used(own.size());
    for (size_t p = 0; p < params.size(); ++p) {
      const std::string& name = params[p].name.str();
      int at = position(name);
      const std::string numpy = name == "dim"       ? "axis"
                                : name == "keepdim" ? "keepdims"
                                                    : "";
      const int rest = position("rest_of_" + name);
      const int other = rest >= 0 ? at : position(numpy);
      if (rest >= 0) {
        at = rest;
      }
      if (other >= 0) {
        form.aliases.emplace_back(other, static_cast<int>(p));
        used[other] = true;
      }
      PW_CHECK(
          at >= 0 || params[p].default_value.defined() ||
              params[p].kind == Signature::ParamKind::VarArgs,
          "form without " + name + " of " + form.op->name);
      if (at >= 0) {
        used[at] = true;
      }
      form.source.push_back(at);
    }
    for (size_t i = 0; i < own.size(); ++i) {
      if (!used[i]) {
        form.extra.push_back(static_cast<int>(i));
      }
    }
  }
};

const Table& table() {
  static const Table instance;
  return instance;
}

}  // namespace

int Op::param(std::string_view wanted) const {
  for (size_t i = 0; i < signature.params.size(); ++i) {
    if (signature.params[i].name.str() == wanted) {
      return static_cast<int>(i);
    }
  }
  return -1;
}

const Op* find_op(std::string_view name) {
  auto it = table().by_name.find(std::string(name));
  return it == table().by_name.end() ? nullptr : it->second;
}

std::vector<const Op*> all_ops() {
  std::vector<const Op*> out;
  for (const Op& op : table().ops) {
    out.push_back(&op);
  }
  return out;
}

const std::vector<Form>& all_forms() {
  return table().forms;
}

}  // namespace portwright::torch
