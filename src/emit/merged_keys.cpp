#include "emit/merged_keys.h"

#include <optional>

#include "emit/layer_states.h"
#include "emit/model_writer.h"
#include "emit/readers.h"
#include "emit/trace_editor.h"
#include "torch/torch.h"

namespace portwright::emit {

using eval::Value;
using trace::Item;

namespace {

/// torch.cat([before, added], axis) of three axes, along the tokens.
struct Merged {
  Frame* frame = nullptr;  // in which it stands
  ValueId before = 0, added = 0, all = 0;
  size_t axis = 0;
};

bool is_one_of(
    const OpNode* op,
    std::initializer_list<std::string_view> names) {
  return op &&
         std::find(names.begin(), names.end(), op->op->name) != names.end();
}

const Value& argument(const OpNode& op, const char* name) {
  return op.args[static_cast<size_t>(op.op->param(name))];
}

class Separation {
 public:
  Separation(eval::Interpreter& interp, Trace& trace, const Evaluation& e)
      : interp_(interp),
        trace_(trace),
        evaluation_(e),
        flows_(trace, e.ids, e.positions, e.mask) {}

  std::set<ValueId> run() {
    collect(trace_.root);
    std::map<const Frame*, std::pair<int, int>> uses;  // scored, and others
    for (const Merged& m : found_) {
      const Readers readers(trace_);
      const Frame* module = module_around(m.frame);
      auto& [scored, others] = uses[module];
      for (const bool is_scored : parts_scored(readers, *module, m)) {
        ++(is_scored ? scored : others);
      }
    }
    std::set<ValueId> out;
    for (const Merged& m : found_) {
      const auto& [scored, others] = uses[module_around(m.frame)];
      if (scored == 1 && others == 1) {
        separate(m);
        out.insert(m.all);
      }
    }
    find_producers(trace_, 1);
    return out;
  }

 private:
  const torch::Sizes& shape(ValueId id) const {
    return trace_.info(id).shape;
  }

  void collect(Frame& frame) {
    for (Item& item : frame.items) {
      if (auto* child = std::get_if<std::unique_ptr<Frame>>(&item)) {
        collect(**child);
      } else if (const auto* op = std::get_if<OpNode>(&item)) {
        if (auto merged = merged_by(*op); merged && module_around(&frame)) {
          merged->frame = &frame;
          found_.push_back(*merged);
        }
      }
    }
  }

  /// A tensor of a forward before.
  bool is_given(ValueId id) const {
    const auto& info = trace_.info(id);
    const auto* tensor = torch::as_tensor(info.tensor);
    return !info.producer && info.parameter.empty() && tensor &&
           !tensor->is_parameter && !tensor->is_buffer &&
           flows_.of(id) == lift::Flow::Constant;
  }

  std::optional<Merged> merged_by(const OpNode& op) const {
    if (op.op->name != "cat" || op.inputs.size() != 2 ||
        shape(op.inputs[0]).size() != 3 || !is_given(op.inputs[0]) ||
        flows_.of(op.inputs[1]) != lift::Flow::Data ||
        !argument(op, "dim").is_int()) {
      return {};
    }
    Merged out;
    out.before = op.inputs[0];
    out.added = op.inputs[1];
    out.all = op.outputs[0];
    out.axis = static_cast<size_t>((argument(op, "dim").as_int() + 3) % 3);
    const bool by_tokens = shape(out.before)[out.axis] == evaluation_.offset &&
                           shape(out.added)[out.axis] == evaluation_.length;
    const bool known =
        (shape(out.added)[0] == evaluation_.batch && out.axis == 1) ||
        by_rows_and_heads(out);
    return by_tokens && known ? std::optional(out) : std::nullopt;
  }

  /// (B, H, ...) of which (B * H, ...) was made; 0 for none.
  ValueId by_rows_and_heads(const Merged& m) const {
    const OpNode* op = trace_.info(m.added).producer;
    if (!is_one_of(op, {"view", "reshape"})) {
      return 0;
    }
    const auto& apart = shape(op->inputs[0]);
    const auto& sizes = shape(m.added);
    const bool merges = apart.size() == 4 && apart[0] == evaluation_.batch &&
                        apart[0] * apart[1] == sizes[0] &&
                        apart[2] == sizes[1] && apart[3] == sizes[2];
    return merges && m.axis > 0 ? op->inputs[0] : 0;
  }

  /// What reads all that is kept and cuts it along the last axis alone: keys
  /// from values.
  std::vector<const OpNode*> cuts(const Readers& readers, ValueId all) const {
    std::vector<const OpNode*> out;
    for (const auto& reader : readers.of(all)) {
      const bool cuts = is_one_of(reader.op, {"split", "chunk", "getitem"}) &&
                        reader.op->inputs.size() == 1;
      for (ValueId id : cuts ? reader.op->outputs : std::vector<ValueId>{0}) {
        if (!id || shape(id).size() != 3 || shape(id)[0] != shape(all)[0] ||
            shape(id)[1] != shape(all)[1]) {
          return {};
        }
      }
      out.push_back(reader.op);
    }
    return out;
  }

  std::vector<bool> parts_scored(
      const Readers& readers,
      const Frame& module,
      const Merged& m) const {
    std::vector<ValueId> parts;
    if (m.axis == 1 && shape(m.added)[0] == evaluation_.batch) {
      for (const OpNode* op : cuts(readers, m.all)) {
        parts.insert(parts.end(), op->outputs.begin(), op->outputs.end());
      }
    }
    parts = parts.empty() ? std::vector<ValueId>{m.all} : parts;
    std::vector<bool> out;
    for (ValueId id : parts) {
      out.push_back(readers.makes_scores(module, id));
    }
    return out;
  }

  OpNode operation(const char* name, ValueId input, Value argument) {
    return editor_.operation(name, input, {std::move(argument)});
  }

  /// The same operation on another value.
  OpNode again(const OpNode& op, ValueId input) {
    OpNode out = op;
    out.args[0] = editor_.tensor(input);
    out.inputs = {input};
    out.result = torch::run_op(interp_, *out.op, out.args);
    out.outputs.clear();
    for (const torch::Tensor* made : trace::tensors_in(out.result)) {
      out.outputs.push_back(editor_.define(input, torch::array_of(*made)));
    }
    if (out.outputs.size() == 1) {
      out.result = editor_.tensor(out.outputs[0]);
    }
    return out;
  }

  /// The view of a value with other tokens.
  OpNode viewed(const OpNode& op, ValueId input, size_t axis, int64_t tokens) {
    OpNode like = op;
    if (is_one_of(&op, {"view", "reshape"})) {
      auto sizes = argument(op, "shape").get<eval::Tuple>()->items;
      sizes[axis] = Value::integer(tokens);
      like.args[static_cast<size_t>(op.op->param("shape"))] =
          eval::tuple(std::move(sizes));
    }
    return again(like, input);
  }

  ValueId put(std::vector<Item>& items, OpNode op) {
    items.emplace_back(std::move(op));
    return std::get<OpNode>(items.back()).outputs[0];
  }

  /// cat of four axes, which makes `all`; 0: a value of its own.
  ValueId append(
      std::vector<Item>& items,
      const OpNode& cat,
      ValueId before,
      ValueId added,
      int64_t axis,
      ValueId all) {
    OpNode out = cat;
    out.inputs = {before, added};
    out.args[static_cast<size_t>(out.op->param("dim"))] = Value::integer(axis);
    out.args[static_cast<size_t>(out.op->param("tensors"))] =
        eval::tuple({editor_.tensor(before), editor_.tensor(added)});
    out.result = torch::run_op(interp_, *out.op, out.args);
    all = all ? all
              : editor_.define(
                    cat.outputs[0],
                    torch::array_of(*torch::as_tensor(out.result)));
    out.result = editor_.tensor(all);
    out.outputs = {all};
    return put(items, std::move(out));
  }

  static std::deque<Item>::iterator find(Frame& frame, const OpNode& op) {
    return std::find_if(
        frame.items.begin(), frame.items.end(), [&](const Item& item) {
          return std::get_if<OpNode>(&item) == &op;
        });
  }
  /// Puts the items where an operation stood.
  void replace(Frame& frame, ValueId made, std::vector<Item> items) {
    const auto makes = [&](const Item& item) {
      const auto* op = std::get_if<OpNode>(&item);
      return op && op->outputs == std::vector<ValueId>{made};
    };
    editor_.insert(
        frame,
        *std::find_if(frame.items.begin(), frame.items.end(), makes),
        std::move(items));
    // One of the new ones may make the same value.
    const auto old =
        std::find_if(frame.items.rbegin(), frame.items.rend(), makes);
    frame.items.erase(std::next(old).base());
    find_producers(trace_, 1);
  }

  void separate(const Merged& m) {
    const Readers readers(trace_);
    const OpNode cat = *trace_.info(m.all).producer;
    const auto apart = by_rows_and_heads(m);
    const auto cut =
        apart ? std::vector<const OpNode*>{} : cuts(readers, m.all);
    if (!cut.empty()) {
      separate_cut(m, cat, readers);
    } else if (apart) {
      separate_rows(m, cat, apart);
    } else {
      separate_heads(m, cat, readers);
    }
    for (Frame* f = m.frame; f; f = f->parent) {
      take_out(interp_, *f, {m.before, m.all});
    }
  }

  /// Keys beside values: each of one head.
  void
  separate_cut(const Merged& m, const OpNode& cat, const Readers& readers) {
    std::vector<Item> items;
    std::vector<Part> parts;
    std::vector<std::pair<Frame*, std::vector<ValueId>>> gone;
    for (const auto& reader : readers.of(m.all)) {
      const OpNode added = again(*reader.op, m.added);
      const OpNode before = again(*reader.op, m.before);
      gone.emplace_back(const_cast<Frame*>(reader.frame), reader.op->outputs);
      items.emplace_back(added);
      items.emplace_back(before);
      for (size_t i = 0; i < added.outputs.size(); ++i) {
        parts.push_back(
            {before.outputs[i], added.outputs[i], reader.op->outputs[i]});
      }
    }
    append_heads(items, cat, parts);
    for (const auto& [frame, outputs] : gone) {
      const auto at = std::find_if(
          frame->items.begin(), frame->items.end(), [&](const Item& item) {
            const auto* op = std::get_if<OpNode>(&item);
            return op && op->outputs == outputs;
          });
      frame->items.erase(at);
    }
    replace(*m.frame, m.all, std::move(items));
  }

  struct Part {
    ValueId before, added, all;
  };

  /// Both new ones are known before either is appended.
  void append_heads(
      std::vector<Item>& items,
      const OpNode& cat,
      std::vector<Part> parts) {
    const Value axis = Value::integer(1);
    for (Part& part : parts) {
      part.before = put(items, operation("unsqueeze", part.before, axis));
      part.added = put(items, operation("unsqueeze", part.added, axis));
    }
    std::vector<ValueId> apart;
    for (const Part& part : parts) {
      apart.push_back(append(items, cat, part.before, part.added, 2, 0));
    }
    for (size_t i = 0; i < parts.size(); ++i) {
      OpNode back = operation("squeeze", apart[i], axis);
      back.outputs = {parts[i].all};
      back.result = editor_.tensor(parts[i].all);
      back.span = cat.span;
      put(items, std::move(back));
    }
  }

  /// (B * H, S, D) is made of (B, H, S, D).
  void separate_rows(const Merged& m, const OpNode& cat, ValueId added) {
    std::vector<Item> items;
    const auto& sizes = shape(added);
    const int64_t axis = static_cast<int64_t>(m.axis) + 1;
    std::vector<Value> wanted;
    for (size_t i = 0; i < sizes.size(); ++i) {
      wanted.push_back(
          Value::integer(i == m.axis + 1 ? evaluation_.offset : sizes[i]));
    }
    const ValueId before = put(
        items, operation("reshape", m.before, eval::tuple(std::move(wanted))));
    const ValueId all = append(items, cat, before, added, axis, 0);
    const OpNode& merging = *trace_.info(m.added).producer;
    auto merged = argument(merging, "shape").get<eval::Tuple>()->items;
    eval::Provenance extent{eval::Provenance::Kind::Dim, {}, {}};
    extent.integer = axis;
    extent.value_id = all;
    merged[m.axis] = Value::integer(evaluation_.offset + evaluation_.length)
                         .with(interp_.provenance(std::move(extent)));
    OpNode back = operation("reshape", all, eval::tuple(std::move(merged)));
    back.outputs = {m.all};
    back.result = editor_.tensor(m.all);
    back.span = cat.span;
    put(items, std::move(back));
    replace(*m.frame, m.all, std::move(items));
  }

  /// (B, S, H * D): heads are apart before they are kept, not after; or all of
  /// it is one head.
  void
  separate_heads(const Merged& m, const OpNode& cat, const Readers& readers) {
    std::vector<Item> items;
    const auto& all = readers.of(m.all);
    const OpNode* view = all.size() == 1 ? all[0].op : nullptr;
    const bool splits = is_one_of(view, {"view", "reshape", "unflatten"}) &&
                        shape(view->outputs[0]).size() == 4 &&
                        shape(view->outputs[0])[0] == evaluation_.batch &&
                        shape(view->outputs[0])[1] == shape(m.all)[1];
    if (!splits) {
      append_heads(items, cat, {{m.before, m.added, m.all}});
      replace(*m.frame, m.all, std::move(items));
      return;
    }
    const ValueId a =
        put(items, viewed(*view, m.added, m.axis, evaluation_.length));
    const ValueId b =
        put(items, viewed(*view, m.before, m.axis, evaluation_.offset));
    append(items, cat, b, a, 1, view->outputs[0]);
    auto& frame = *const_cast<Frame*>(all[0].frame);
    frame.items.erase(find(frame, *view));
    replace(*m.frame, m.all, std::move(items));
  }

  eval::Interpreter& interp_;
  Trace& trace_;
  const Evaluation& evaluation_;
  lift::Flows flows_;
  TraceEditor editor_{interp_, trace_};
  std::vector<Merged> found_;
};

}  // namespace

std::set<ValueId> keep_heads_apart(
    eval::Interpreter& interp,
    Trace& trace,
    const Evaluation& evaluation) {
  return Separation(interp, trace, evaluation).run();
}

}  // namespace portwright::emit
