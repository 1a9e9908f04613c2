#include "emit/unrolled.h"

#include "emit/guards.h"

namespace portwright::emit {

using eval::Provenance;
using eval::Value;

namespace {

/// What the loop that makes the layers runs to; null where none is known.
const Provenance* layer_loop(const Context& context) {
  const Value layer = context.module(context.layers_path + ".0");
  const auto it = layer.defined()
                      ? context.trace.constructions.find(layer.object())
                      : context.trace.constructions.end();
  if (it != context.trace.constructions.end()) {
    for (const Value& arg : it->second.args) {
      const Provenance* p = arg.provenance();
      if (p && p->kind == Provenance::Kind::Loop) {
        return p->left;
      }
    }
  }
  return nullptr;
}

/// True when a loop that is not the one over layers has a part in the value.
bool follows_other_loop(const Provenance* p, const Provenance* layers) {
  if (!p) {
    return false;
  }
  if (p->kind == Provenance::Kind::Loop) {
    return layers &&
           (!p->left || eval::to_string(p->left) != eval::to_string(layers));
  }
  return follows_other_loop(p->left, layers) ||
         follows_other_loop(p->right, layers) ||
         follows_other_loop(p->test, layers);
}

}  // namespace

bool is_unrolled(
    const Context& context,
    const Frame& frame,
    const Provenance* p) {
  return eval::depends_on_loop(p) &&
         (!frame.path.starts_with(context.layers_path + ".") ||
          follows_other_loop(p, layer_loop(context)));
}

void serve_loops(Context& context, const Frame& frame, const Provenance* p) {
  if (!p || !frame.path.starts_with(context.layers_path + ".")) {
    return;
  }
  if (p->kind == Provenance::Kind::Loop) {
    if (!p->left || p->left->kind == Provenance::Kind::Dim) {
      return;  // over tokens
    }
    const bool field = p->left->kind == Provenance::Kind::Config;
    const Value count =
        field ? context.interp.try_getattr(
                    context.evaluation.config, p->left->name.str())
              : Value();
    if (!count.is_int()) {
      context.hole(
          frame.call, "'" + frame.path + "' runs a loop of no known length");
    }
    serve_one_value(
        context, p->left->name.str(), std::to_string(count.as_int()));
    return;
  }
  serve_loops(context, frame, p->left);
  serve_loops(context, frame, p->right);
  serve_loops(context, frame, p->test);
}

}  // namespace portwright::emit
