#include "emit/token_mixing.h"

#include <algorithm>

#include <fmt/format.h>

#include "emit/model_writer.h"
#include "library/guarded.h"
#include "library/model.h"
#include "torch/torch.h"
#include "trace/recorder.h"

namespace portwright::emit {

namespace mx = mlx::core;

namespace {

/// Far above what float32 loses in other orders of adding up.
constexpr float kSame = 1e-3f;

bool differs(const mx::array& a, const mx::array& b) {
  const auto x = mx::astype(a, mx::float32), y = mx::astype(b, mx::float32);
  auto apart = mx::max(mx::abs(mx::subtract(x, y)));
  auto scale = mx::maximum(mx::max(mx::abs(x)), mx::array(1e-6f));
  return !(apart.item<float>() <= kSame * scale.item<float>());
}

/// A module's forward begins or ends, with what it is given or answers.
struct Event {
  const Frame* frame;
  bool ends;
  const std::vector<ValueId>& values() const {
    return ends ? frame->outputs : frame->inputs;
  }
};

void list_events(const Frame& frame, std::vector<Event>& out) {
  const bool counts = frame.is_module() && !frame.path.empty();
  if (counts) {
    out.push_back({&frame, false});
  }
  for (const auto& item : frame.items) {
    if (const auto* child = std::get_if<std::unique_ptr<Frame>>(&item)) {
      list_events(**child, out);
    }
  }
  if (counts) {
    out.push_back({&frame, true});
  }
}

/// Compares the forward of `length` tokens with that of the last one.
class Comparison {
 public:
  Comparison(const Trace& all, const Trace& last, int64_t length)
      : all_(all), last_(last), length_(length) {}

  /// The module in which the forwards part, and there the operation that mixes.
  std::pair<const Frame*, const OpNode*> place() const;

 private:
  bool parts(ValueId all, ValueId last) const;
  bool parts(const Event& all, const Event& last) const;
  const OpNode* mixing(const Frame& frame, bool inside) const;

  const Trace& all_;
  const Trace& last_;
  int64_t length_;
};

mx::array array_of(const Trace& trace, ValueId id) {
  return torch::array_of(*torch::as_tensor(trace.info(id).tensor));
}

/// True where the last token's part of a value is another value. Nothing is
/// known of what has no axis of tokens.
bool Comparison::parts(ValueId all, ValueId last) const {
  const auto &a = all_.info(all), &b = last_.info(last);
  if (a.shape.size() != b.shape.size() || a.dtype != b.dtype) {
    return false;
  }
  int axis = -1;
  for (size_t i = 0; i < a.shape.size(); ++i) {
    if (a.shape[i] == b.shape[i]) {
      continue;
    }
    if (axis >= 0 || a.shape[i] != b.shape[i] * length_) {
      return false;
    }
    axis = static_cast<int>(i);
  }
  if (axis < 0) {
    return false;
  }
  const mx::array at({static_cast<int>(length_) - 1});
  return differs(
      mx::take(array_of(all_, all), at, axis), array_of(last_, last));
}

bool Comparison::parts(const Event& all, const Event& last) const {
  const auto &a = all.values(), &b = last.values();
  for (size_t i = 0; a.size() == b.size() && i < a.size(); ++i) {
    if (parts(a[i], b[i])) {
      return true;
    }
  }
  return false;
}

/// The operation of a forward, in its modules too if `inside`, that chooses
/// among tokens or adds them up; else the one that makes more or fewer of them.
const OpNode* Comparison::mixing(const Frame& frame, bool inside) const {
  static constexpr std::string_view kAmongTokens[] = {
      "topk", "sort", "argsort", "cumsum", "cumprod", "conv1d", "roll"};
  const OpNode* moved = nullptr;
  for (const auto& item : frame.items) {
    if (const auto* child = std::get_if<std::unique_ptr<Frame>>(&item)) {
      const bool own = (inside || !(*child)->is_module()) &&
                       !(*child)->module_name().starts_with("transformers.");
      const OpNode* found = own ? mixing(**child, inside) : nullptr;
      if (found) {
        return found;
      }
      continue;
    }
    const auto* op = std::get_if<OpNode>(&item);
    if (!op || op->inputs.empty() || op->outputs.empty()) {
      continue;
    }
    const auto& given = all_.info(op->inputs[0]).shape;
    const auto& made = all_.info(op->outputs[0]).shape;
    const auto among = [&](int64_t n) { return n == length_; };
    if (std::none_of(given.begin(), given.end(), among)) {
      continue;
    }
    if (std::find(
            std::begin(kAmongTokens), std::end(kAmongTokens), op->op->name) !=
        std::end(kAmongTokens)) {
      return op;
    }
    const bool moves = given.size() == made.size() &&
                       std::none_of(made.begin(), made.end(), among);
    moved = !moved && moves ? op : moved;
  }
  return moved;
}

std::pair<const Frame*, const OpNode*> Comparison::place() const {
  std::vector<Event> all, last;
  list_events(all_.root, all);
  list_events(last_.root, last);
  for (size_t i = 0; i < std::min(all.size(), last.size()); ++i) {
    if (all[i].frame->path != last[i].frame->path ||
        all[i].ends != last[i].ends) {
      break;
    }
    if (!parts(all[i], last[i])) {
      continue;
    }
    const Frame* module = all[i].frame;
    if (!all[i].ends) {
      module = module_around(module->parent);
    }
    // Convolutions are modules, and answer more tokens than they are given.
    const OpNode* op = module ? mixing(*module, false) : nullptr;
    return {module, module && !op ? mixing(*module, true) : op};
  }
  return {};
}

/// How many tokens a cache holds; 0 where it does not tell.
int64_t held_tokens(eval::Interpreter& interp, const eval::Value& cache) {
  const auto method = interp.try_getattr(cache, base::Symbol("get_seq_length"));
  const auto length =
      method.defined() ? interp.call(method, eval::CallArgs{}) : eval::Value();
  return length.is_int() ? length.as_int() : 0;
}

/// The first operation that puts `more` tokens beside `length` others.
const OpNode*
addition(const Trace& trace, const Frame& frame, int64_t length, int64_t more) {
  const auto has = [&](ValueId id, int64_t size) {
    const auto& shape = trace.info(id).shape;
    return std::find(shape.begin(), shape.end(), size) != shape.end();
  };
  for (const auto& item : frame.items) {
    const auto* child = std::get_if<std::unique_ptr<Frame>>(&item);
    const auto* op = std::get_if<OpNode>(&item);
    if (child) {
      if (const auto* found = addition(trace, **child, length, more)) {
        return found;
      }
    } else if (
        op && op->op->name == std::string("cat") &&
        has(op->outputs[0], length + more) &&
        std::any_of(op->inputs.begin(), op->inputs.end(), [&](ValueId id) {
          return has(id, length);
        })) {
      return op;
    }
  }
  return nullptr;
}

diagnostics::Diagnostic
refusal(const std::string& what, const OpNode& op, const std::string& hint) {
  return {diagnostics::Kind::UnsupportedStructure, what, op.span, hint, "", {}};
}

template <typename T>
T value_or_throw(library::Evaluated<T> value) {
  if (!value) {
    throw eval::Refusal{value.error()};
  }
  return std::move(*value);
}

mx::array columns(const mx::array& a, int from, int to) {
  return mx::take(a, mx::arange(from, to, mx::int32), 1);
}

struct RecordedForward {
  mx::array logits;  // of the last token
  std::unique_ptr<Trace> trace;
};

}  // namespace

std::optional<diagnostics::Diagnostic> forgotten_tokens(
    eval::Interpreter& interp,
    const eval::Value& model,
    const mx::array& ids) {
  const int length = ids.shape(1);
  const auto recorded = [&](const std::function<mx::array()>& forward) {
    trace::Recorder recorder(interp);
    recorder.built(model);
    mx::array logits = forward();
    return RecordedForward{
        columns(logits, logits.shape(1) - 1, logits.shape(1)),
        recorder.finish()};
  };
  // A source may know one of the two ways alone.
  const auto found = library::guarded(interp, [&] {
    std::optional<diagnostics::Diagnostic> out;
    const auto all = recorded(
        [&] { return value_or_throw(library::forward(interp, model, ids)); });
    auto session = value_or_throw(library::Session::start(interp, model));
    value_or_throw(session.prefill(columns(ids, 0, length - 1)));
    const int64_t more =
        held_tokens(interp, value_or_throw(session.cache())) - (length - 1);
    const auto last = recorded([&] {
      return value_or_throw(session.step(columns(ids, length - 1, length)));
    });
    if (more > 0) {
      const auto* op = addition(*all.trace, all.trace->root, length, more);
      if (op) {
        out = refusal(
            fmt::format("the model puts {} tokens of its own before all", more),
            *op,
            "mlx-lm's caches and masks count the tokens they are given");
      }
      return out;
    }
    if (!differs(all.logits, last.logits)) {
      return out;
    }
    const auto [module, op] =
        Comparison(*all.trace, *last.trace, length).place();
    if (op) {
      const std::string name = op->op->name;
      out = refusal(
          fmt::format(
              "'{}' mixes tokens by {}, and keeps nothing of those before",
              module->path,
              name == "getitem" ? "an index" : name + "()"),
          *op,
          "a token would be another in a step of its own than in a prompt");
    }
    return out;
  });
  return found ? *found : std::nullopt;
}

}  // namespace portwright::emit
