#include "trace/twin.h"

#include <map>

namespace portwright::trace {

const Frame* first_module(const Frame& frame) {
  for (const Item& item : frame.items) {
    if (const auto* child = std::get_if<std::unique_ptr<Frame>>(&item)) {
      if ((*child)->is_module()) {
        return child->get();
      }
      if (const Frame* found = first_module(**child)) {
        return found;
      }
    }
  }
  return nullptr;
}

namespace {

class Matching {
 public:
  explicit Matching(Twin& twin) : twin_(twin) {}

  void frames(const Frame& a, const Frame& b) {
    twin_.frames.emplace(&a, &b);
    values(a.inputs, b.inputs);
    auto at = b.items.begin();
    for (const Item& item : a.items) {
      at = std::find_if_not(at, b.items.end(), is_branch);
      if (is_branch(item)) {
        continue;
      }
      if (at == b.items.end() || !items(item, *at)) {
        twin_.complete = false;
        break;
      }
      ++at;
    }
    values(a.outputs, b.outputs);
  }

 private:
  static bool is_branch(const Item& item) {
    return std::holds_alternative<Branch>(item);
  }

  void values(const std::vector<ValueId>& a, const std::vector<ValueId>& b) {
    for (size_t i = 0; a.size() == b.size() && i < a.size(); ++i) {
      if (!twin_.ids[a[i]]) {
        twin_.ids[a[i]] = b[i];
      }
    }
  }

  /// False where the recordings part.
  bool items(const Item& a, const Item& b) {
    const auto* op = std::get_if<OpNode>(&a);
    const auto* other = std::get_if<OpNode>(&b);
    if (op && other) {
      if (op->op != other->op) {
        return false;
      }
      twin_.ops.emplace(op, other);
      values(op->inputs, other->inputs);
      values(op->outputs, other->outputs);
      return true;
    }
    if (op || other) {
      return false;
    }
    const Frame& f = *std::get<std::unique_ptr<Frame>>(a);
    const Frame& g = *std::get<std::unique_ptr<Frame>>(b);
    if (f.function->code != g.function->code || f.path != g.path) {
      return false;
    }
    frames(f, g);
    return true;
  }

  Twin& twin_;
};

std::optional<torch::Dtype>
dtype_of(const Trace& trace, const std::vector<ValueId>& ids, size_t i) {
  return i < ids.size() ? std::optional(trace.info(ids[i]).dtype)
                        : std::nullopt;
}

}  // namespace

std::optional<torch::Dtype> Twin::dtype(ValueId id) const {
  return id < ids.size() && ids[id] ? std::optional(trace->info(ids[id]).dtype)
                                    : std::nullopt;
}

std::optional<torch::Dtype> Twin::input_dtype(const OpNode& op, size_t i)
    const {
  const auto it = ops.find(&op);
  return it == ops.end() ? std::nullopt
                         : dtype_of(*trace, it->second->inputs, i);
}

std::optional<torch::Dtype> Twin::input_dtype(const Frame& call, size_t i)
    const {
  const auto it = frames.find(&call);
  return it == frames.end() ? std::nullopt
                            : dtype_of(*trace, it->second->inputs, i);
}

std::optional<torch::Dtype> Twin::output_dtype(const Frame& call, size_t i)
    const {
  const auto it = frames.find(&call);
  return it == frames.end() ? std::nullopt
                            : dtype_of(*trace, it->second->outputs, i);
}

Twin match(const Trace& first, std::shared_ptr<const Trace> second) {
  Twin out;
  out.ids.resize(first.values.size());
  std::map<std::string_view, ValueId> named;
  for (ValueId id = 1; id < second->values.size(); ++id) {
    named.emplace(second->info(id).parameter, id);
  }
  for (ValueId id = 1; id < first.values.size(); ++id) {
    const std::string& name = first.info(id).parameter;
    if (const auto it = named.find(name); !name.empty() && it != named.end()) {
      out.ids[id] = it->second;
    }
  }
  const Frame* a = first_module(first.root);
  const Frame* b = first_module(second->root);
  if (a && b) {
    Matching(out).frames(*a, *b);
  }
  out.trace = std::move(second);
  return out;
}

}  // namespace portwright::trace
