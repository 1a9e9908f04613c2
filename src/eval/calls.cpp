#include <charconv>

#include "eval/code.h"
#include "eval/frame.h"
#include "eval/state.h"

namespace portwright::eval {

namespace {

using ParamKind = Signature::ParamKind;

Value parse_default(std::string_view text) {
  if (text == "None") {
    return Value::none();
  }
  if (text == "True" || text == "False") {
    return Value::boolean(text == "True");
  }
  if (text == "...") {
    return Value();
  }
  if (text == "()") {
    return tuple({});
  }
  if (text.size() >= 2 && (text.front() == '\'' || text.front() == '"')) {
    return str(std::string(text.substr(1, text.size() - 2)));
  }
  int64_t i = 0;
  auto whole = std::from_chars(text.data(), text.data() + text.size(), i);
  if (whole.ec == std::errc() && whole.ptr == text.data() + text.size()) {
    return Value::integer(i);
  }
  return Value::real(std::stod(std::string(text)));
}

std::string_view without_spaces(std::string_view text) {
  while (!text.empty() && text.front() == ' ') {
    text.remove_prefix(1);
  }
  while (!text.empty() && text.back() == ' ') {
    text.remove_suffix(1);
  }
  return text;
}

}  // namespace

bool Signature::is_plain() const {
  if (!plain_) {
    plain_ = std::all_of(params.begin(), params.end(), [](const Param& p) {
      return p.kind == ParamKind::PositionalOnly || p.kind == ParamKind::Normal;
    });
  }
  return *plain_;
}

Signature Signature::parse(std::string_view text) {
  Signature out;
  ParamKind kind = ParamKind::Normal;
  while (!without_spaces(text).empty()) {
    // A comma inside a quoted default does not end the parameter.
    size_t end = 0;
    for (char quote = 0; end < text.size(); ++end) {
      if (quote) {
        quote = text[end] == quote ? 0 : quote;
      } else if (text[end] == '\'' || text[end] == '"') {
        quote = text[end];
      } else if (text[end] == ',') {
        break;
      }
    }
    std::string_view item = without_spaces(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    if (item == "*") {
      kind = ParamKind::KeywordOnly;
    } else if (item == "/") {
      for (auto& p : out.params) {
        p.kind = ParamKind::PositionalOnly;
      }
    } else if (item.starts_with("**")) {
      out.params.push_back(
          {Symbol(item.substr(2)), ParamKind::VarKeywords, {}});
    } else if (item.starts_with("*")) {
      out.params.push_back({Symbol(item.substr(1)), ParamKind::VarArgs, {}});
      kind = ParamKind::KeywordOnly;
    } else {
      const size_t equals = item.find('=');
      Param p{Symbol(without_spaces(item.substr(0, equals))), kind, {}};
      if (equals != std::string_view::npos) {
        p.default_value =
            parse_default(without_spaces(item.substr(equals + 1)));
        p.optional = true;
      }
      out.params.push_back(std::move(p));
    }
  }
  return out;
}

namespace {

[[noreturn]] void too_many(
    Interpreter& interp,
    const std::string& callee,
    size_t takes,
    size_t given) {
  interp.raise(
      "TypeError",
      callee + "() takes " + std::to_string(takes) +
          " positional arguments but " + std::to_string(given) + " were given");
}

/// Places keyword arguments; unknown ones go to `extra` or are an error.
void bind_keywords(
    Interpreter& interp,
    const Signature& signature,
    CallArgs& args,
    std::vector<Value>& bound,
    Dict* extra,
    const std::string& callee) {
  for (auto& [name, value] : args.keywords) {
    size_t i = 0;
    for (; i < signature.params.size(); ++i) {
      const auto& p = signature.params[i];
      if (p.name == name &&
          (p.kind == ParamKind::Normal || p.kind == ParamKind::KeywordOnly)) {
        break;
      }
    }
    if (i == signature.params.size()) {
      if (!extra) {
        interp.raise(
            "TypeError",
            callee + "() got an unexpected keyword argument '" + name.str() +
                "'");
      }
      if (extra->find(name.str())) {
        interp.raise(
            "TypeError",
            callee + "() got multiple values for keyword argument '" +
                name.str() + "'");
      }
      extra->set(name.str(), std::move(value));
      continue;
    }
    if (bound[i].defined()) {
      interp.raise(
          "TypeError",
          callee + "() got multiple values for argument '" + name.str() + "'");
    }
    bound[i] = std::move(value);
  }
}

/// For the parameters from `given` on.
void fill_defaults(
    Interpreter& interp,
    const Signature& signature,
    std::span<const Value> defaults,
    const std::string& callee,
    std::vector<Value>& bound,
    size_t given = 0) {
  for (size_t i = given; i < bound.size(); ++i) {
    const auto& p = signature.params[i];
    if (bound[i].defined()) {
      continue;
    }
    if (!defaults.empty() && defaults[i].defined()) {
      bound[i] = defaults[i];
    } else if (p.optional) {
      bound[i] = p.default_value;
    } else {
      interp.raise(
          "TypeError",
          callee + "() missing a required argument: '" + p.name.str() + "'");
    }
  }
}

}  // namespace

std::vector<Value> bind_arguments(
    Interpreter& interp,
    const Signature& signature,
    std::span<const Value> defaults,
    CallArgs& args,
    const std::string& callee,
    size_t slots) {
  const size_t count = signature.params.size();
  const size_t given = args.positional.size();
  std::vector<Value> bound;
  if (args.keywords.empty() && given <= count && signature.is_plain()) {
    bound = std::move(args.positional);
    bound.reserve(std::max(count, slots));
    bound.resize(count);
    fill_defaults(interp, signature, defaults, callee, bound, given);
    return bound;
  }
  bound.reserve(std::max(count, slots));
  bound.resize(count);
  Ref<Dict> extra;
  size_t next = 0;
  for (size_t i = 0; i < count; ++i) {
    const auto& p = signature.params[i];
    switch (p.kind) {
      case ParamKind::PositionalOnly:
      case ParamKind::Normal:
        if (next < args.positional.size()) {
          bound[i] = std::move(args.positional[next++]);
        }
        break;
      case ParamKind::VarArgs: {
        std::vector<Value> rest(
            std::make_move_iterator(args.positional.begin() + next),
            std::make_move_iterator(args.positional.end()));
        next = args.positional.size();
        bound[i] = tuple(std::move(rest));
        break;
      }
      case ParamKind::VarKeywords:
        extra = dict();
        bound[i] = Value(extra);
        break;
      case ParamKind::KeywordOnly:
        break;
    }
  }
  if (next < args.positional.size()) {
    too_many(interp, callee, next, args.positional.size());
  }
  if (!args.keywords.empty()) {
    bind_keywords(interp, signature, args, bound, extra.get(), callee);
  }
  fill_defaults(interp, signature, defaults, callee, bound);
  return bound;
}

Value Interpreter::call_method(
    const Value& object,
    std::string_view name,
    std::vector<Value> positional) {
  return call(getattr(object, Symbol(name)), std::move(positional));
}

bool Interpreter::callable(const Value& value) {
  if (!value.is_object()) {
    return false;
  }
  switch (value.object()->kind) {
    case Kind::Function:
    case Kind::Native:
    case Kind::BoundMethod:
    case Kind::Class:
    case Kind::StaticMethod:
      return true;
    default:
      return value.object()->cls->lookup(names().call) != nullptr;
  }
}

namespace {

/// A `__getattribute__` or `__getattr__` of ours answers Undefined where there
/// is no such attribute.
void refuse_miss(
    Interpreter& interp,
    const Native& function,
    std::span<const Value> bound) {
  if (bound.size() == 2 && bound[1].is_str() &&
      (function.name.ends_with("__getattribute__") ||
       function.name.ends_with("__getattr__"))) {
    raise_no_attribute(interp, bound[0], Symbol(bound[1].str()));
  }
}

Value run_native(
    Interpreter& interp,
    const Native& function,
    std::span<Value> bound,
    bool may_miss) {
  interp.charge();
  Value out = function.body(interp, bound);
  if (!out.defined() && !may_miss) {
    refuse_miss(interp, function, bound);
  }
  return out;
}

}  // namespace

Value Interpreter::call(const Value& callable, std::vector<Value> positional) {
  const bool may_miss = std::exchange(state_->may_miss, false);
  return call_positional(*this, callable, std::move(positional), may_miss);
}

Value call_positional(
    Interpreter& interp,
    const Value& callable,
    std::vector<Value> args,
    bool may_miss) {
  const size_t given = args.size();
  if (callable.is(Kind::Function)) {
    auto* function = callable.get<Function>();
    const FunctionCode& code = *function->code;
    code.complete();
    const size_t count = code.signature.params.size();
    if (given <= count && code.signature.is_plain()) {
      args.reserve(std::max<size_t>(count, code.slot_count));
      if (given < count) {
        args.resize(count);
        fill_defaults(
            interp,
            code.signature,
            function->defaults,
            function->name,
            args,
            given);
      }
      return run_function(interp, *function, args, may_miss);
    }
  } else if (callable.is(Kind::Native)) {
    auto* function = callable.get<Native>();
    const size_t count = function->signature.params.size();
    if (given <= count && function->signature.is_plain()) {
      if (given < count) {
        args.resize(count);
        fill_defaults(
            interp, function->signature, {}, function->name, args, given);
      }
      return run_native(interp, *function, args, may_miss);
    }
  }
  interp.state().may_miss = may_miss;
  return interp.call(callable, CallArgs{std::move(args), {}});
}

Value Interpreter::call(const Value& callable, CallArgs args) {
  const bool may_miss = std::exchange(state_->may_miss, false);
  if (callable.is_object()) {
    switch (callable.object()->kind) {
      case Kind::Function: {
        auto* function = callable.get<Function>();
        function->code->complete();
        auto bound = bind_arguments(
            *this,
            function->code->signature,
            function->defaults,
            args,
            function->name,
            function->code->slot_count);
        return run_function(*this, *function, bound, may_miss);
      }
      case Kind::Native: {
        auto* function = callable.get<Native>();
        auto bound = bind_arguments(
            *this, function->signature, {}, args, function->name);
        return run_native(*this, *function, bound, may_miss);
      }
      case Kind::BoundMethod: {
        auto* method = callable.get<BoundMethod>();
        args.positional.insert(args.positional.begin(), method->self);
        state_->may_miss = may_miss;
        return call(method->function, std::move(args));
      }
      case Kind::Class:
        return instantiate(*this, callable.get<Class>(), std::move(args));
      case Kind::StaticMethod:
        state_->may_miss = may_miss;
        return call(callable.get<MethodWrapper>()->function, std::move(args));
      case Kind::Lazy:
        return call(resolve_lazy(*this, callable), std::move(args));
      default:
        if (const Value* hook = callable.object()->cls->lookup(names().call)) {
          args.positional.insert(args.positional.begin(), callable);
          return call(*hook, std::move(args));
        }
    }
  }
  raise(
      "TypeError", "'" + class_of(callable)->name + "' object is not callable");
}

}  // namespace portwright::eval
