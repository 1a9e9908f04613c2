#include "emit/norm_writer.h"

#include "emit/module_writer.h"

namespace portwright::emit {

using torch::Dtype;

const std::optional<lift::WrittenNorm>& NormWriter::norm(ValueId id) {
  auto it = norms_.find(id);
  if (it == norms_.end()) {
    const Context& context = w_.context();
    it = norms_
             .emplace(
                 id,
                 lift::written_norm(
                     context.trace, context.flows, w_.graph(), id))
             .first;
  }
  return it->second;
}

bool NormWriter::owns(ValueId id) {
  return norm(id).has_value();
}

std::vector<ValueId> NormWriter::dependencies(ValueId id) {
  return {norm(id)->x};
}

Expression NormWriter::produce(ValueId id) {
  const lift::WrittenNorm& norm = *this->norm(id);
  Expression x = w_.value(norm.x);
  if (widens(id)) {
    x = method(x, "astype", {"mx.float32"});
  }
  const auto text = [&](ValueId weight) {
    return weight ? w_.value(weight).text : "None";
  };
  std::vector<std::string> args{x.text, text(norm.weight)};
  if (norm.centred) {
    args.push_back(text(norm.bias));
  }
  args.push_back(w_.scalar(norm.epsilon()).text);
  return call(
      norm.centred ? "mx.fast.layer_norm" : "mx.fast.rms_norm",
      std::move(args));
}

bool NormWriter::answers_wide(ValueId id) {
  const lift::WrittenNorm& norm = *this->norm(id);
  return widens(id) || w_.is_wide(norm.x) ||
         (norm.weight && w_.is_wide(norm.weight)) ||
         (norm.bias && w_.is_wide(norm.bias));
}

bool NormWriter::widens(ValueId id) {
  const ValueId x = norm(id)->x;
  return w_.half_dtype(id) == Dtype::Float32 && !w_.is_wide(x);
}

}  // namespace portwright::emit
