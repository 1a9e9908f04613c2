#include "emit/padding_reads.h"

#include <algorithm>

#include "library/guarded.h"
#include "library/model.h"
#include "torch/torch.h"
#include "trace/recorder.h"

namespace portwright::emit {

namespace mx = mlx::core;

namespace {

/// Far above what float32 loses in other orders of adding up.
constexpr float kAlike = 1e-3f;
constexpr int kPadding = 3;

/// Calls of modules, in the order in which they answer.
void list_answering(const Frame& frame, std::vector<const Frame*>& out) {
  for (const auto& item : frame.items) {
    if (const auto* child = std::get_if<std::unique_ptr<Frame>>(&item)) {
      list_answering(**child, out);
    }
  }
  if (frame.is_module() && !frame.path.empty()) {
    out.push_back(&frame);
  }
}

/// True where the last of the tokens is another in what both have made.
bool parts(const Trace& a, const Trace& b, ValueId x, ValueId y, int length) {
  const auto& shape = a.info(x).shape;
  const auto at = std::find(shape.begin(), shape.end(), length);
  if (at == shape.end() || shape != b.info(y).shape) {
    return false;
  }
  const auto last = [&](const Trace& trace, ValueId id) {
    const auto whole =
        torch::array_of(*torch::as_tensor(trace.info(id).tensor));
    return mx::astype(
        mx::take(
            whole, mx::array(length - 1), static_cast<int>(at - shape.begin())),
        mx::float32);
  };
  const auto p = last(a, x), q = last(b, y);
  auto apart = mx::max(mx::abs(mx::subtract(p, q)));
  auto scale = mx::maximum(mx::max(mx::abs(p)), mx::array(1e-6f));
  return !(apart.item<float>() <= kAlike * scale.item<float>());
}

bool any_parts(
    const Trace& a,
    const Trace& b,
    const std::vector<ValueId>& x,
    const std::vector<ValueId>& y,
    int length) {
  for (size_t i = 0; i < std::min(x.size(), y.size()); ++i) {
    if (parts(a, b, x[i], y[i], length)) {
      return true;
    }
  }
  return false;
}

}  // namespace

std::optional<diagnostics::Diagnostic> padding_read(
    eval::Interpreter& interp,
    const eval::Value& model,
    const mx::array& ids) {
  const int length = ids.shape(1);
  const auto at = mx::reshape(mx::arange(length), {1, length});
  const auto shown = mx::greater_equal(at, mx::array(kPadding));
  const auto recorded = [&](int64_t id) -> std::unique_ptr<Trace> {
    trace::Recorder recorder(interp);
    recorder.built(model);
    const auto logits = library::forward(
        interp,
        model,
        mx::where(shown, ids, mx::array(id)),
        mx::astype(shown, mx::int64));
    auto trace = recorder.finish();
    return logits ? std::move(trace) : nullptr;
  };
  const auto found = library::guarded(interp, [&] {
    std::optional<diagnostics::Diagnostic> out;
    const auto one = recorded(1), other = recorded(2);
    if (!one || !other) {
      return out;
    }
    std::vector<const Frame*> a, b;
    list_answering(one->root, a);
    list_answering(other->root, b);
    for (size_t i = 0; i < std::min(a.size(), b.size()); ++i) {
      const Frame &x = *a[i], &y = *b[i];
      if (x.path == y.path &&
          !any_parts(*one, *other, x.inputs, y.inputs, length) &&
          any_parts(*one, *other, x.outputs, y.outputs, length)) {
        out = {
            diagnostics::Kind::UnsupportedStructure,
            "'" + x.path + "' reads what padding holds",
            x.call,
            "a row of a batch would be another beside a longer one",
            "",
            {}};
        break;
      }
    }
    return out;
  });
  return found ? *found : std::nullopt;
}

}  // namespace portwright::emit
