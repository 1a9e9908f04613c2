#include "eval/generic_alias.h"

#include "eval/dispatch.h"

namespace portwright::eval {

GenericAlias::GenericAlias(Class* cls, Value origin, std::vector<Value> args)
    : Object(Kind::Opaque, cls),
      origin(std::move(origin)),
      args(std::move(args)) {}

void GenericAlias::clear() {
  Object::clear();
  origin = Value();
  std::exchange(args, {});
}

GenericAlias* as_alias(Interpreter& interp, const Value& value) {
  if (!value.is(Kind::Opaque)) {
    return nullptr;
  }
  const Class* cls = value.object()->cls;
  return cls == interp.types.generic_alias || cls == interp.types.union_type
             ? value.get<GenericAlias>()
             : nullptr;
}

Value make_alias(Interpreter& interp, const Value& origin, const Value& index) {
  std::vector<Value> args = index.is(Kind::Tuple) ? index.get<Tuple>()->items
                                                  : std::vector<Value>{index};
  return Value(
      make<GenericAlias>(interp.types.generic_alias, origin, std::move(args)));
}

namespace {

bool add_member(
    Interpreter& interp,
    const Value& value,
    std::vector<Value>& members) {
  const auto add = [&](const Value& v) {
    for (const Value& m : members) {
      if (interp.equal(m, v)) {
        return;
      }
    }
    members.push_back(v);
  };
  if (value.is_none()) {
    add(Value(static_cast<Object*>(interp.types.none_type)));
    return true;
  }
  if (value.is(Kind::Class)) {
    add(value);
    return true;
  }
  const GenericAlias* alias = as_alias(interp, value);
  if (!alias) {
    return false;
  }
  if (alias->cls == interp.types.union_type) {
    for (const Value& arg : alias->args) {
      add(arg);
    }
  } else {
    add(value);
  }
  return true;
}

}  // namespace

Value make_union(Interpreter& interp, const Value& a, const Value& b) {
  if (a.is_none() && b.is_none()) {
    return {};
  }
  std::vector<Value> members;
  if (!add_member(interp, a, members) || !add_member(interp, b, members)) {
    return {};
  }
  if (members.size() == 1) {
    return members[0];
  }
  return Value(make<GenericAlias>(
      interp.types.union_type,
      Value(static_cast<Object*>(interp.types.union_type)),
      std::move(members)));
}

}  // namespace portwright::eval
