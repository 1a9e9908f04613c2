#include "verify/arrays.h"

#include <cmath>
#include <limits>

namespace portwright::verify {
namespace {

struct Axes {
  int64_t outer = 1;
  int64_t positions = 1;
  int64_t inner = 1;
};

Axes axes_of(const std::vector<int64_t>& shape) {
  Axes out;
  const size_t rank = shape.size();
  out.inner = rank ? shape[rank - 1] : 1;
  out.positions = rank > 1 ? shape[rank - 2] : 1;
  for (size_t i = 0; i + 2 < rank; ++i) {
    out.outer *= shape[i];
  }
  return out;
}

double distance(float a, float b) {
  if (std::isfinite(a) && std::isfinite(b)) {
    return std::abs(static_cast<double>(a) - static_cast<double>(b));
  }
  const bool same = a == b || (std::isnan(a) && std::isnan(b));
  return same ? 0 : std::numeric_limits<double>::infinity();
}

}  // namespace

Outcome<Run> Run::open(const std::string& file) {
  auto opened = checkpoint::SafetensorsFile::open(file);
  if (!opened) {
    return tl::unexpected(Trouble{
        Trouble::Where::World, "tensors-lost", opened.error().message, ""});
  }
  Run out;
  out.path_ = file;
  out.file_ = std::make_shared<checkpoint::SafetensorsFile>(std::move(*opened));
  return out;
}

bool Run::has(const std::string& key) const {
  return file_ && file_->find(key) != nullptr;
}

std::optional<Difference> compare(
    const Run& run,
    const std::string& key,
    const Run& reference,
    const std::string& reference_key) {
  const auto a = run.find(key);
  const auto b = reference.find(reference_key);
  return a && b ? compare(*a, *b) : std::nullopt;
}

std::vector<int64_t> Run::shape_of(const std::string& key) const {
  const auto* view = file_ ? file_->find(key) : nullptr;
  return view ? view->shape : std::vector<int64_t>();
}

std::optional<Array> Run::find(const std::string& key) const {
  const auto* view = file_ ? file_->find(key) : nullptr;
  if (!view) {
    return std::nullopt;
  }
  auto values = checkpoint::to_floats(*view);
  if (!values) {
    return std::nullopt;
  }
  return Array{view->shape, std::move(*values)};
}

std::optional<Difference> compare(const Array& a, const Array& reference) {
  const bool alike =
      a.shape == reference.shape ||
      (a.shape.size() != reference.shape.size() && !a.shape.empty() &&
       !reference.shape.empty() && a.shape.back() == reference.shape.back());
  if (!alike || a.values.size() != reference.values.size() ||
      a.values.empty()) {
    return std::nullopt;
  }
  double largest = 0;
  for (const float v : reference.values) {
    if (std::isfinite(v)) {
      largest = std::max(largest, std::abs(static_cast<double>(v)));
    }
  }
  largest = std::max(largest, 1e-30);
  const Axes axes = axes_of(reference.shape);
  Difference out;
  out.per_position.assign(static_cast<size_t>(axes.positions), 0.0);
  size_t i = 0;
  for (int64_t o = 0; o < axes.outer; ++o) {
    for (int64_t t = 0; t < axes.positions; ++t) {
      double& worst = out.per_position[static_cast<size_t>(t)];
      for (int64_t k = 0; k < axes.inner; ++k, ++i) {
        worst = std::max(
            worst, distance(a.values[i], reference.values[i]) / largest);
      }
    }
  }
  const auto worst =
      std::max_element(out.per_position.begin(), out.per_position.end());
  out.relative = *worst;
  if (reference.shape.size() > 1) {
    const auto first = std::find_if_not(
        out.per_position.begin(), out.per_position.end(), [](double v) {
          return v <= 1e-4;
        });
    out.position = (first == out.per_position.end() ? worst : first) -
                   out.per_position.begin();
  }
  return out;
}

Array slice_positions(const Array& array, int64_t begin, int64_t end) {
  const Axes axes = axes_of(array.shape);
  begin = std::clamp<int64_t>(begin, 0, axes.positions);
  end = std::clamp<int64_t>(end, begin, axes.positions);
  Array out;
  out.shape = array.shape;
  out.shape[out.shape.size() - 2] = end - begin;
  for (int64_t o = 0; o < axes.outer; ++o) {
    const auto* at =
        array.values.data() + (o * axes.positions + begin) * axes.inner;
    out.values.insert(out.values.end(), at, at + (end - begin) * axes.inner);
  }
  return out;
}

Array first_features(const Array& array, int64_t count) {
  const int64_t width = array.shape.back();
  if (width <= count) {
    return array;
  }
  Array out;
  out.shape = array.shape;
  out.shape.back() = count;
  const auto end = static_cast<int64_t>(array.values.size());
  for (int64_t at = 0; at < end; at += width) {
    const auto* from = array.values.data() + at;
    out.values.insert(out.values.end(), from, from + count);
  }
  return out;
}

Array row(const Array& array, int64_t index) {
  const auto size =
      static_cast<int64_t>(array.values.size()) / array.shape.front();
  Array out;
  out.shape = array.shape;
  out.shape.front() = 1;
  const auto* at = array.values.data() + index * size;
  out.values.assign(at, at + size);
  return out;
}

}  // namespace portwright::verify
