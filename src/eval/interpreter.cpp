#include "eval/interpreter.h"

#include "eval/frame.h"
#include "eval/state.h"

namespace portwright::eval {

const Names& names() {
  static const Names all;
  return all;
}

namespace {

Class* builtin(Interpreter& interp, std::string_view name, Kind kind) {
  return interp.define_class(name, {}, kind);
}

void make_types(Interpreter& interp) {
  Types& t = interp.types;
  // object and type know each other; the rest is regular.
  t.object = interp.define_class("object", {}, Kind::Instance);
  t.type = builtin(interp, "type", Kind::Class);
  t.object->cls = t.type;
  t.type->cls = t.type;
  t.none_type = builtin(interp, "NoneType", Kind::Opaque);
  t.int_ = builtin(interp, "int", Kind::Opaque);
  t.bool_ = interp.define_class("bool", {t.int_}, Kind::Opaque);
  t.float_ = builtin(interp, "float", Kind::Opaque);
  t.str = builtin(interp, "str", Kind::Str);
  t.bytes = builtin(interp, "bytes", Kind::Bytes);
  t.list = builtin(interp, "list", Kind::List);
  t.tuple = builtin(interp, "tuple", Kind::Tuple);
  t.dict = builtin(interp, "dict", Kind::Dict);
  t.set = builtin(interp, "set", Kind::Set);
  t.frozenset = builtin(interp, "frozenset", Kind::Set);
  t.slice = builtin(interp, "slice", Kind::Slice);
  t.range = builtin(interp, "range", Kind::Range);
  t.function = builtin(interp, "function", Kind::Function);
  t.builtin_function =
      builtin(interp, "builtin_function_or_method", Kind::Native);
  t.method = builtin(interp, "method", Kind::BoundMethod);
  t.module = builtin(interp, "module", Kind::Module);
  t.property = builtin(interp, "property", Kind::Property);
  t.staticmethod = builtin(interp, "staticmethod", Kind::StaticMethod);
  t.classmethod = builtin(interp, "classmethod", Kind::ClassMethod);
  t.super = builtin(interp, "super", Kind::Super);
  t.ellipsis = builtin(interp, "ellipsis", Kind::Opaque);
  t.not_implemented = builtin(interp, "NotImplementedType", Kind::Opaque);
  t.iterator = builtin(interp, "iterator", Kind::Iterator);
  t.cell = builtin(interp, "cell", Kind::Cell);
  t.base_exception = builtin(interp, "BaseException", Kind::Instance);
  t.exception = interp.define_class("Exception", {t.base_exception});
}

}  // namespace

Interpreter::Interpreter(Limits limits) : state_(std::make_unique<State>()) {
  state_->limits = limits;
  ObjectList::current = &state_->objects;
  current_types = &types;
  make_types(*this);
  state_->builtins = make<ModuleObject>("builtins", "");
  state_->modules["builtins"] = state_->builtins;
  install_core(*this);
  install_standard_library(*this);
}

Interpreter::~Interpreter() {
  // Objects may still be created while closures die; the list outlives them.
  state_->modules.clear();
  state_->sources.clear();
}

ModuleObject& Interpreter::builtins() {
  return *state_->builtins;
}

const Limits& Interpreter::limits() const {
  return state_->limits;
}

void Interpreter::charge(uint64_t n) {
  state_->steps += n;
  if (state_->steps > state_->limits.steps) {
    state_->steps = 0;  // so that reporting can evaluate again
    refuse(
        diagnostics::Kind::LimitExceeded,
        "the evaluation took more than " +
            std::to_string(state_->limits.steps) + " steps",
        "the source loops for too long, or does not end");
  }
}

const Provenance* Interpreter::provenance(Provenance node) {
  state_->provenance.push_back(std::move(node));
  return &state_->provenance.back();
}

void Interpreter::mark_config(const Value& object, std::string path) {
  object.object()->is_config = true;
  state_->config_paths[object.object()] = std::move(path);
  state_->config_indices.erase(object.object());
}

base::Span Interpreter::here() const {
  for (const Frame* f = state_->frame; f; f = f->caller) {
    if (f->at && *f->at) {
      return *f->at;
    }
  }
  return {};
}

std::vector<base::Span> Interpreter::call_stack() const {
  std::vector<base::Span> out;
  for (const Frame* f = state_->frame; f; f = f->caller) {
    if (f->at && *f->at) {
      out.push_back(*f->at);
    }
  }
  if (!out.empty()) {
    out.erase(out.begin());
  }
  return out;
}

void Interpreter::raise(std::string_view type, std::string message) {
  const Value* cls = state_->builtins->attrs->find(Symbol(type));
  PW_CHECK(cls, "unknown exception type " + std::string(type));
  Value exception = call(*cls, std::vector<Value>{str(std::move(message))});
  throw_python(*this, exception);
}

bool Interpreter::matches(const PythonError& error, std::string_view type) {
  const Value* cls = state_->builtins->attrs->find(Symbol(type));
  return cls && cls->is(Kind::Class) &&
         class_of(error.value)->is_subclass_of(cls->get<Class>());
}

void Interpreter::refuse(
    diagnostics::Kind kind,
    std::string message,
    std::string hint) {
  throw Refusal{
      {kind, std::move(message), here(), std::move(hint), "", call_stack()}};
}

diagnostics::Diagnostic Interpreter::describe(const PythonError& error) {
  diagnostics::Diagnostic d{diagnostics::Kind::PythonError, "", {}, "", "", {}};
  d.message = class_of(error.value)->name;
  try {
    if (std::string text = to_str(error.value); !text.empty()) {
      d.message += ": " + text;
    }
  } catch (const PythonError&) {
    d.message += " (its message could not be computed)";
  }
  if (state_->raised == error.value.object() && !state_->raised_at.empty()) {
    d.span = state_->raised_at.front();
    d.called_from.assign(
        state_->raised_at.begin() + 1, state_->raised_at.end());
  }
  d.hint = "the model's own code raised this; check the config and the inputs";
  return d;
}

void throw_python(Interpreter& interp, const Value& exception) {
  auto& state = interp.state();
  state.raised = exception.object();
  state.raised_at = interp.call_stack();
  if (const base::Span here = interp.here()) {
    state.raised_at.insert(state.raised_at.begin(), here);
  }
  throw PythonError{exception};
}

}  // namespace portwright::eval
