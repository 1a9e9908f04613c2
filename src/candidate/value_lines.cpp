#include "candidate/value_lines.h"

#include <cmath>
#include <unordered_map>

#include "candidate/array.h"
#include "torch/torch.h"

namespace portwright::candidate {

namespace {

void collect(const Value& value, std::vector<mx::array>& out) {
  if (const Array* array = as_array(value)) {
    out.push_back(array->array);
  } else if (const auto* tensor = torch::as_tensor(value)) {
    out.push_back(torch::array_of(*tensor));
  } else if (value.is(eval::Kind::Tuple)) {
    for (const Value& item : value.get<eval::Tuple>()->items) {
      collect(item, out);
    }
  }
}

/// What no reordering changes: sums of sizes, of squares and of the numbers
/// themselves, and the largest size.
mx::array summary(const mx::array& a) {
  const mx::array x = mx::astype(a, mx::float32);
  const mx::array size = mx::abs(x);
  return mx::stack(
      {mx::sum(size), mx::sum(mx::square(x)), mx::max(size), mx::sum(x)});
}

std::vector<mx::array> summaries(const std::vector<ValueLines::Seen>& seen) {
  std::vector<mx::array> out;
  for (const auto& s : seen) {
    out.push_back(summary(s.value));
  }
  mx::eval(out);
  return out;
}

bool alike(const mx::array& a, const mx::array& b) {
  constexpr float kRounding = 1e-4f;
  const float *x = a.data<float>(), *y = b.data<float>();
  for (int i = 0; i < 4; ++i) {
    // Numbers of both signs cancel: their sum is as exact as their sizes.
    const float size = std::max(std::abs(x[i % 3]), std::abs(y[i % 3]));
    if (!(std::abs(x[i] - y[i]) <= kRounding * size)) {
      return false;
    }
  }
  return true;
}

}  // namespace

ValueLines::ValueLines(eval::Interpreter& interp, std::set<std::string> files)
    : interp_(interp), files_(std::move(files)) {
  interp.observer = this;
  torch::set_op_observer(interp, this);
}

ValueLines::~ValueLines() {
  interp_.observer = nullptr;
  torch::set_op_observer(interp_, nullptr);
}

bool ValueLines::counts(const base::Span& span) const {
  return span && files_.contains(span.file->path());
}

/// Where the files' own code is, however deep the libraries it called.
base::Span ValueLines::innermost() const {
  if (const base::Span here = interp_.here(); counts(here)) {
    return here;
  }
  for (const base::Span& span : interp_.call_stack()) {
    if (counts(span)) {
      return span;
    }
  }
  return {};
}

void ValueLines::add(const base::Span& span, const Value& value) {
  if (!counts(span)) {
    return;
  }
  std::vector<mx::array> arrays;
  collect(value, arrays);
  const int line = static_cast<int>(span.file->position(span.begin).line);
  for (const mx::array& a : arrays) {
    if (a.size() > 1 && mx::issubdtype(a.dtype(), mx::floating)) {
      seen_.push_back({span.file, line, a});
    }
  }
}

void ValueLines::on_bind(eval::Symbol, const Value& value) {
  add(interp_.here(), value);
}

void ValueLines::on_enter(
    eval::Function&,
    std::span<const Value>,
    const base::Span& call) {
  calls_.push_back(call);
}

void ValueLines::on_exit(eval::Function&, const Value& result) {
  const base::Span call = calls_.empty() ? base::Span{} : calls_.back();
  if (!calls_.empty()) {
    calls_.pop_back();
  }
  if (result.defined()) {
    add(interp_.here(), result);  // the return statement
    add(call, result);
  }
}

void ValueLines::on_op(
    const torch::Op&,
    std::span<const Value>,
    const Value& result) {
  add(innermost(), result);
}

std::vector<std::vector<size_t>> equal_values(
    const std::vector<ValueLines::Seen>& a,
    const std::vector<ValueLines::Seen>& b) {
  const auto ours = summaries(a), theirs = summaries(b);
  std::unordered_map<size_t, std::vector<size_t>> by_size;
  for (size_t i = 0; i < b.size(); ++i) {
    by_size[b[i].value.size()].push_back(i);
  }
  std::vector<std::vector<size_t>> out(a.size());
  for (size_t i = 0; i < a.size(); ++i) {
    for (size_t j : by_size[a[i].value.size()]) {
      if (alike(ours[i], theirs[j])) {
        out[i].push_back(j);
      }
    }
  }
  return out;
}

}  // namespace portwright::candidate
