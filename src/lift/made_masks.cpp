#include "lift/made_masks.h"

#include "lift/proof.h"
#include "trace/replay.h"

namespace portwright::lift {

using eval::Provenance;
using eval::Value;

namespace {

/// Hidden scores are at most this: e to it is 0 beside any other.
constexpr float kHidden = -1e4f;

/// The frames of different modules below `frame` that keep anything.
int attending_modules(const Frame& frame) {
  int out = 0;
  for (const auto& item : frame.items) {
    if (const auto* child = std::get_if<std::unique_ptr<Frame>>(&item)) {
      out += (*child)->is_module() ? uses_cache(**child)
                                   : attending_modules(**child);
    }
  }
  return out;
}

bool mentions_config(const Provenance* p) {
  return p &&
         (p->kind == Provenance::Kind::Config || mentions_config(p->left) ||
          mentions_config(p->right) || mentions_config(p->test));
}

bool mentions_config(const Value& v) {
  return v.is_number() && mentions_config(v.provenance());
}

void collect_config_numbers(const Value& v, std::vector<Value>& out) {
  if (v.is(eval::Kind::Tuple)) {
    for (const Value& item : v.get<eval::Tuple>()->items) {
      collect_config_numbers(item, out);
    }
  } else if (mentions_config(v)) {
    out.push_back(v);
  }
}

class MadeMasks {
 public:
  MadeMasks(
      eval::Interpreter& interp,
      const Trace& trace,
      int64_t length,
      const Flows& flows)
      : interp_(interp), trace_(trace), length_(length), flows_(flows) {}

  /// 0 or the window of a value that is such a mask.
  std::optional<int64_t> window(ValueId id) {
    if (!is_candidate(id)) {
      return {};
    }
    try {
      const auto window = window_shown(shown_with_padding(id, {}));
      const auto read = config_numbers(id);
      // One past what was recorded would not show.
      return window != 0 || read.empty() ? window : far_window(id, read);
    } catch (const eval::PythonError&) {
    } catch (const std::exception&) {  // of MLX: nothing to compute it from
    }
    return {};
  }

 private:
  /// The window of what is shown, 0 of a causal one.
  std::optional<int64_t> window_shown(const mx::array& shown) const {
    for (int64_t window = 0; window < keys(); ++window) {
      if (is_shown(shown, window)) {
        return window;
      }
    }
    return {};
  }

  /// The window of a mask that reads numbers of the config and is causal as far
  /// as was recorded: with one of them made small, a window that grows with it.
  std::optional<int64_t> far_window(
      ValueId id,
      const std::vector<Value>& numbers) {
    constexpr int64_t kNear[] = {3, 5};
    for (const Value& number : numbers) {
      if (!number.is_int() || std::abs(number.as_int()) < keys()) {
        continue;
      }
      std::optional<int64_t> more;  // than the number
      bool grows = true;
      for (const int64_t near : kNear) {
        std::optional<int64_t> window;
        try {
          window = window_shown(shown_with_padding(
              id, [&](const Value& v) { return nearer(v, number, near); }));
        } catch (const eval::PythonError&) {
        } catch (const std::exception&) {  // shapes that do not go together
        }
        grows = grows && window.value_or(0) > 0 &&
                more.value_or(*window - near) == *window - near;
        if (!grows) {
          break;
        }
        more = *window - near;
      }
      if (grows) {
        return std::abs(number.as_int()) + *more;
      }
    }
    return {};
  }

  static Value nearer(const Value& v, const Value& number, int64_t near) {
    const bool same =
        v.is_int() && mentions_config(v) && v.as_int() == number.as_int();
    return same ? Value::integer(v.as_int() < 0 ? -near : near) : Value();
  }

  int64_t keys() const {
    return trace_.info(flows_.mask()).shape[1];
  }

  bool is_candidate(ValueId id) {
    const auto& info = trace_.info(id);
    const auto& mask = trace_.info(flows_.mask()).shape;
    if (flows_.of(id) != Flow::Mask || !info.producer || !info.frame ||
        info.shape != torch::Sizes{mask[0], 1, length_, mask[1]}) {
      return false;
    }
    for (const Frame* f = info.frame; f; f = f->parent) {
      if (is_mask_function(*f)) {
        return false;
      }
    }
    const Frame* frame = module_of(info.frame);
    const auto [it, fresh] = shared_.try_emplace(frame, false);
    if (fresh) {
      it->second = attending_modules(*frame) > 1;
    }
    // What a module that attends makes of a mask is not another one.
    const auto& inputs = info.producer->inputs;
    const bool of_mask = inputs.size() == 1 && flows_.window_of(inputs[0]);
    return it->second || (updates_keys(*frame) && !of_mask);
  }

  /// One that holds no parameters is a part of the module around it.
  const Frame* module_of(const Frame* frame) {
    const bool fresh = modules_.try_emplace(frame, frame).second;
    if (fresh && frame->parent &&
        (!frame->is_module() || !has_parameters(trace_, frame->path))) {
      modules_[frame] = module_of(frame->parent);
    }
    return modules_[frame];
  }

  /// Tokens of padding on the left of a row.
  static int padding(int row) {
    return 2 * row;
  }

  /// (B, L, S): which keys each query reads, with padding of several lengths.
  mx::array shown_with_padding(
      ValueId id,
      const std::function<Value(const Value&)>& changed) const {
    const auto& info = trace_.info(flows_.mask());
    const int rows = static_cast<int>(info.shape[0]);
    const int count = static_cast<int>(info.shape[1]);
    const auto pads = mx::multiply(mx::arange(rows), mx::array(2));
    const auto mask = mx::greater_equal(
        mx::reshape(mx::arange(count), {1, count}),
        mx::reshape(pads, {rows, 1}));
    trace::Replay replay(interp_, trace_);
    replay.change_numbers(changed);
    replay.replace(
        flows_.mask(),
        mx::astype(
            mask, torch::array_of(*torch::as_tensor(info.tensor)).dtype()));
    mx::array made = mx::squeeze(replay.compute(id), 1);
    if (made.dtype() != mx::bool_) {
      made = mx::astype(made, mx::float32);
      const auto shown = mx::equal(made, mx::array(0.0f));
      const auto hidden = mx::less_equal(made, mx::array(kHidden));
      if (!mx::all(mx::logical_or(shown, hidden)).item<bool>()) {
        throw std::invalid_argument("no mask");
      }
      made = shown;
    }
    made.eval();
    return made;
  }

  /// True when that is what a mask of this window shows to all queries that are
  /// no padding.
  bool is_shown(const mx::array& shown, int64_t window) const {
    const int rows = shown.shape(0), count = shown.shape(2);
    const int length = static_cast<int>(length_), offset = count - length;
    const bool* at = shown.data<bool>();
    const auto strides = shown.strides();
    for (int row = 0; row < rows; ++row) {
      for (int i = 0; i < length; ++i) {
        const int query = offset + i;
        for (int key = 0; key < count && query >= padding(row); ++key) {
          const bool expected = key >= padding(row) && key <= query &&
                                (window == 0 || key > query - window);
          if (at[row * strides[0] + i * strides[1] + key * strides[2]] !=
              expected) {
            return false;
          }
        }
      }
    }
    return true;
  }

  /// What operations behind a value are given that follows from the config.
  std::vector<Value> config_numbers(ValueId id) const {
    std::vector<Value> out;
    std::set<ValueId> seen;
    std::vector<ValueId> pending{id};
    while (!pending.empty()) {
      const ValueId next = pending.back();
      pending.pop_back();
      const OpNode* op = trace_.info(next).producer;
      if (!seen.insert(next).second || !op) {
        continue;
      }
      for (const Value& arg : op->args) {
        collect_config_numbers(arg, out);
      }
      pending.insert(pending.end(), op->inputs.begin(), op->inputs.end());
    }
    return out;
  }

  eval::Interpreter& interp_;
  const Trace& trace_;
  int64_t length_;
  const Flows& flows_;
  std::map<const Frame*, bool> shared_;
  std::map<const Frame*, const Frame*> modules_;
};

}  // namespace

void note_made_masks(
    eval::Interpreter& interp,
    const Trace& trace,
    int64_t length,
    Flows& flows) {
  if (!flows.mask()) {
    return;
  }
  MadeMasks masks(interp, trace, length, flows);
  for (ValueId id = 1; id < trace.values.size(); ++id) {
    if (const auto window = masks.window(id)) {
      flows.note_mask(id, *window);
    }
  }
}

}  // namespace portwright::lift
