#include "eval/views.h"

#include "eval/dispatch.h"

namespace portwright::eval {

DictView::DictView(Interpreter& interp, Ref<Dict> dict, What what)
    : Object(
          Kind::Opaque,
          what == What::Keys     ? interp.types.dict_keys
          : what == What::Values ? interp.types.dict_values
                                 : interp.types.dict_items),
      dict(std::move(dict)),
      what(what) {}

void DictView::clear() {
  Object::clear();
  dict = nullptr;
}

DictView* as_view(Interpreter& interp, const Value& value) {
  if (!value.is(Kind::Opaque)) {
    return nullptr;
  }
  const Types& t = interp.types;
  const Class* cls = value.object()->cls;
  const bool is_view =
      cls == t.dict_keys || cls == t.dict_values || cls == t.dict_items;
  return is_view ? value.get<DictView>() : nullptr;
}

Ref<Set> to_set(Interpreter& interp, const Value& value) {
  if (value.is(Kind::Set)) {
    return Ref<Set>(value.get<Set>());
  }
  Ref<Set> out = make<Set>();
  interp.for_each(
      value, [&](Value v) { out->items->set(interp, v, Value::none()); });
  return out;
}

Value view_item(const DictView& view, const Dict::Entry& entry) {
  switch (view.what) {
    case DictView::What::Keys:
      return entry.key;
    case DictView::What::Values:
      return entry.value;
    case DictView::What::Items:
      return tuple({entry.key, entry.value});
  }
  return {};
}

}  // namespace portwright::eval
