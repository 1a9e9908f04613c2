#include "eval/compiler.h"
#include "eval/state.h"

namespace portwright::eval {

namespace ast = syntax;

namespace {

[[noreturn]] void unbound(Frame& frame, Symbol name) {
  frame.interp.raise(
      "UnboundLocalError",
      "cannot access local variable '" + name.str() +
          "' where it is not associated with a value");
}

class LoadSlot : public ExprCode {
 public:
  LoadSlot(base::Span span, uint32_t slot, Symbol name)
      : ExprCode(span), slot_(slot), name_(name) {}
  Value eval(Frame& frame) const override {
    const Value& v = slot_value(frame.slots[slot_]);
    if (!v.defined()) {
      frame.at = &span;
      unbound(frame, name_);
    }
    return v;
  }

 private:
  uint32_t slot_;
  Symbol name_;
};

/// A module-level name; builtins come after. In class bodies and modules the
/// frame's own namespace comes first, then a captured slot.
class LoadName : public ExprCode {
 public:
  LoadName(base::Span span, Symbol name, std::optional<uint32_t> slot, bool own)
      : ExprCode(span), name_(name), slot_(slot), own_(own) {}

  Value eval(Frame& frame) const override {
    if (own_) {
      if (const Value* v = frame.names->find(name_)) {
        return loaded(frame, *frame.names, *v);
      }
      if (slot_) {
        if (const Value& v = slot_value(frame.slots[*slot_]); v.defined()) {
          return v;
        }
      }
    }
    if (const Value* v = frame.globals.attrs->find(name_)) {
      return loaded(frame, *frame.globals.attrs, *v);
    }
    if (const Value* v = frame.interp.builtins().attrs->find(name_)) {
      return *v;
    }
    frame.at = &span;
    if (frame.globals.getattr) {
      if (Value v = frame.globals.getattr(frame.interp, name_); v.defined()) {
        return v;
      }
    }
    frame.interp.raise(
        "NameError", "name '" + name_.str() + "' is not defined");
  }

 private:
  Value loaded(Frame& frame, AttrMap& where, const Value& v) const {
    if (!v.is(Kind::Lazy)) {
      return v;
    }
    frame.at = &span;
    Value resolved = resolve_lazy(frame.interp, v);
    where.set(name_, resolved);
    return resolved;
  }

  Symbol name_;
  std::optional<uint32_t> slot_;
  bool own_;
};

void announce(Frame& frame, Symbol name, const Value& value) {
  if (frame.interp.observer) {
    frame.interp.observer->on_bind(name, value);
  }
}

class StoreSlot : public TargetCode {
 public:
  StoreSlot(uint32_t slot, Symbol name) : slot_(slot), name_(name) {}
  void store(Frame& frame, const Value& value) const override {
    announce(frame, name_, value);
    set_slot(frame.slots[slot_], value);
  }

 private:
  uint32_t slot_;
  Symbol name_;
};

class StoreName : public TargetCode {
 public:
  StoreName(Symbol name, bool own) : name_(name), own_(own) {}
  void store(Frame& frame, const Value& value) const override {
    (own_ ? *frame.names : *frame.globals.attrs).set(name_, value);
  }

 private:
  Symbol name_;
  bool own_;
};

class StoreAttribute : public TargetCode {
 public:
  StoreAttribute(base::Span span, ExprPtr object, Symbol name)
      : span_(span), object_(std::move(object)), name_(name) {}
  void store(Frame& frame, const Value& value) const override {
    const Value object = object_->eval(frame);
    frame.at = &span_;
    frame.interp.setattr(object, name_, value);
  }

 private:
  base::Span span_;
  ExprPtr object_;
  Symbol name_;
};

class StoreItem : public TargetCode {
 public:
  StoreItem(base::Span span, ExprPtr object, ExprPtr index)
      : span_(span), object_(std::move(object)), index_(std::move(index)) {}
  void store(Frame& frame, const Value& value) const override {
    const Value object = object_->eval(frame);
    const Value index = index_->eval(frame);
    frame.at = &span_;
    frame.interp.setitem(object, index, value);
  }

 private:
  base::Span span_;
  ExprPtr object_;
  ExprPtr index_;
};

/// a, *b, c = value
class Unpack : public TargetCode {
 public:
  Unpack(base::Span span, std::vector<TargetPtr> targets, int64_t starred)
      : span_(span), targets_(std::move(targets)), starred_(starred) {}

  void store(Frame& frame, const Value& value) const override {
    frame.at = &span_;
    auto items = frame.interp.to_vector(value);
    const size_t wanted = targets_.size();
    if (value.provenance() && frame.interp.track_provenance && starred_ < 0) {
      for (size_t i = 0; i < items.size(); ++i) {
        items[i] = items[i].with(place(frame.interp, value, i));
      }
    }
    if (starred_ < 0 ? items.size() != wanted : items.size() + 1 < wanted) {
      mismatch(frame, items.size());
    }
    size_t next = 0;
    for (size_t i = 0; i < wanted; ++i) {
      if (static_cast<int64_t>(i) != starred_) {
        targets_[i]->store(frame, items[next++]);
        continue;
      }
      const size_t rest = items.size() - (wanted - 1);
      targets_[i]->store(
          frame, list({items.begin() + next, items.begin() + next + rest}));
      next += rest;
    }
  }

 private:
  /// value[i]
  static const Provenance*
  place(Interpreter& interp, const Value& value, size_t i) {
    const Provenance* index = interp.provenance(
        {.kind = Provenance::Kind::Constant, .text = std::to_string(i)});
    return interp.provenance(
        {.kind = Provenance::Kind::Index,
         .left = value.provenance(),
         .right = index});
  }

  [[noreturn]] void mismatch(Frame& frame, size_t got) const {
    const size_t wanted = targets_.size() - (starred_ >= 0);
    if (starred_ < 0 && got > wanted) {
      frame.interp.raise(
          "ValueError",
          "too many values to unpack (expected " + std::to_string(wanted) +
              ")");
    }
    frame.interp.raise(
        "ValueError",
        "not enough values to unpack (expected " + std::to_string(wanted) +
            ", got " + std::to_string(got) + ")");
  }

  base::Span span_;
  std::vector<TargetPtr> targets_;
  int64_t starred_;
};

class DeleteSlot : public StmtCode {
 public:
  DeleteSlot(base::Span span, uint32_t slot, Symbol name)
      : StmtCode(span), slot_(slot), name_(name) {}
  Flow exec(Frame& frame) const override {
    if (!slot_value(frame.slots[slot_]).defined()) {
      frame.at = &span;
      unbound(frame, name_);
    }
    set_slot(frame.slots[slot_], Value());
    return Flow::Next;
  }

 private:
  uint32_t slot_;
  Symbol name_;
};

class DeleteOther : public StmtCode {
 public:
  DeleteOther(base::Span span, ExprPtr object, ExprPtr index, Symbol name)
      : StmtCode(span),
        object_(std::move(object)),
        index_(std::move(index)),
        name_(name) {}
  Flow exec(Frame& frame) const override {
    if (!object_) {
      AttrMap& where = frame.names ? *frame.names : *frame.globals.attrs;
      if (!where.erase(name_)) {
        frame.at = &span;
        frame.interp.raise(
            "NameError", "name '" + name_.str() + "' is not defined");
      }
      return Flow::Next;
    }
    const Value object = object_->eval(frame);
    if (index_) {
      const Value index = index_->eval(frame);
      frame.at = &span;
      frame.interp.delitem(object, index);
    } else {
      frame.at = &span;
      frame.interp.delattr(object, name_);
    }
    return Flow::Next;
  }

 private:
  ExprPtr object_;
  ExprPtr index_;
  Symbol name_;
};

}  // namespace

ExprPtr Compiler::load(Symbol given, base::Span span) {
  const Symbol name = scope_->mangled(given);
  const auto slot = scope_->slot(name);
  const bool block_variable =
      slot && std::any_of(
                  scope_->blocks.begin(),
                  scope_->blocks.end(),
                  [&](const auto& b) { return b.contains(name); });
  if (block_variable || (slot && scope_->kind == Scope::Kind::Function)) {
    return std::make_unique<LoadSlot>(span, *slot, name);
  }
  return std::make_unique<LoadName>(
      span, name, slot, scope_->kind != Scope::Kind::Function);
}

TargetPtr Compiler::store(Symbol given) {
  const Symbol name = scope_->mangled(given);
  const bool block_variable = std::any_of(
      scope_->blocks.begin(), scope_->blocks.end(), [&](const auto& b) {
        return b.contains(name);
      });
  if (block_variable || scope_->kind == Scope::Kind::Function) {
    if (const auto slot = scope_->slot(name)) {
      return std::make_unique<StoreSlot>(*slot, name);
    }
    return std::make_unique<StoreName>(name, false);  // declared global
  }
  return std::make_unique<StoreName>(name, true);
}

TargetPtr Compiler::target(const ast::Expr& e) {
  switch (e.kind) {
    case ast::ExprKind::Name:
      return store(ast::as<ast::Name>(e).id);
    case ast::ExprKind::Attribute: {
      const auto& a = ast::as<ast::Attribute>(e);
      return std::make_unique<StoreAttribute>(
          e.span, expr(*a.value), scope_->mangled(a.attr));
    }
    case ast::ExprKind::Subscript: {
      const auto& s = ast::as<ast::Subscript>(e);
      return std::make_unique<StoreItem>(
          e.span, expr(*s.value), expr(*s.slice));
    }
    case ast::ExprKind::List:
    case ast::ExprKind::Tuple: {
      std::vector<TargetPtr> targets;
      int64_t starred = -1;
      for (const ast::Expr* item : ast::as<ast::Sequence>(e).elts) {
        if (item->kind == ast::ExprKind::Starred) {
          starred = static_cast<int64_t>(targets.size());
          item = ast::as<ast::Starred>(*item).value;
        }
        targets.push_back(target(*item));
      }
      return std::make_unique<Unpack>(e.span, std::move(targets), starred);
    }
    default:
      unsupported(e.span, "this assignment target");
  }
}

StmtPtr Compiler::remove(const ast::Expr& e) {
  switch (e.kind) {
    case ast::ExprKind::Name: {
      const Symbol name = scope_->mangled(ast::as<ast::Name>(e).id);
      if (scope_->kind == Scope::Kind::Function) {
        if (const auto slot = scope_->slot(name)) {
          return std::make_unique<DeleteSlot>(e.span, *slot, name);
        }
      }
      return std::make_unique<DeleteOther>(e.span, nullptr, nullptr, name);
    }
    case ast::ExprKind::Attribute: {
      const auto& a = ast::as<ast::Attribute>(e);
      return std::make_unique<DeleteOther>(
          e.span, expr(*a.value), nullptr, scope_->mangled(a.attr));
    }
    case ast::ExprKind::Subscript: {
      const auto& s = ast::as<ast::Subscript>(e);
      return std::make_unique<DeleteOther>(
          e.span, expr(*s.value), expr(*s.slice), Symbol());
    }
    default:
      unsupported(e.span, "this deletion target");
  }
}

}  // namespace portwright::eval
