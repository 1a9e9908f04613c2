#include "trace/recorder.h"

#include <functional>

#include "eval/code.h"

namespace portwright::trace {

using eval::Value;

namespace {

bool is_ours(const eval::Function& function) {
  return function.globals && function.globals->file.starts_with("<portwright>");
}

}  // namespace

Recorder::Recorder(eval::Interpreter& interp)
    : interp_(interp), trace_(std::make_unique<Trace>()) {
  trace_->values.emplace_back();
  frame_ = &trace_->root;
  interp_.observer = this;
  torch::set_op_observer(interp_, this);
}

void Recorder::built(const Value& model) {
  PW_CHECK(frame_ == &trace_->root, "built() inside a call");
  eval::Interpreter& interp = interp_;
  // Reading the names must not be recorded.
  interp_.observer = nullptr;
  torch::set_op_observer(interp_, nullptr);
  auto pairs = [&](const char* method, auto&& each) {
    interp.for_each(interp.call_method(model, method), [&](Value pair) {
      const auto& items = pair.get<eval::Tuple>()->items;
      each(items[0].str(), items[1]);
    });
  };
  pairs("named_modules", [&](const std::string& path, const Value& module) {
    trace_->modules.emplace_back(path, module);
    module_paths_.emplace(module.object(), path);
  });
  auto name_tensor = [&](const std::string& path, const Value& tensor) {
    if (auto* t = torch::as_tensor(tensor)) {
      trace_->values[define(*t, nullptr)].parameter = path;
    }
  };
  pairs("named_parameters", name_tensor);
  pairs("named_buffers", name_tensor);
  interp_.observer = this;
  torch::set_op_observer(interp_, this);
}

Recorder::~Recorder() {
  if (interp_.observer == this) {
    interp_.observer = nullptr;
    torch::set_op_observer(interp_, nullptr);
  }
}

std::unique_ptr<Trace> Recorder::finish() {
  interp_.observer = nullptr;
  torch::set_op_observer(interp_, nullptr);
  large_.let_go(*trace_);
  return std::move(trace_);
}

ValueId Recorder::define(torch::Tensor& tensor, const OpNode* producer) {
  const auto id = static_cast<ValueId>(trace_->values.size());
  auto& info = trace_->values.emplace_back();
  info.tensor = Value(static_cast<eval::Object*>(&tensor));
  info.shape = tensor.sizes;
  info.dtype = tensor.dtype;
  info.producer = producer;
  info.frame = frame_;
  tensor.value_id = id;
  tensor.value_version = tensor.storage->version;
  return id;
}

namespace {

/// True where one was given the other's elements: `weight.data = scaled`.
bool is_rebound(const torch::Tensor& tensor, const torch::Tensor& from) {
  return tensor.storage == from.storage && tensor.sizes == from.sizes &&
         tensor.strides == from.strides && tensor.offset == from.offset &&
         tensor.dtype == from.dtype;
}

}  // namespace

ValueId Recorder::id_of(torch::Tensor& tensor) {
  // A tensor whose storage was written through an alias is a new value.
  if (tensor.value_id == 0 || tensor.value_id >= trace_->values.size() ||
      (trace_->values[tensor.value_id].tensor.object() != &tensor &&
       !is_rebound(
           tensor,
           *torch::as_tensor(trace_->values[tensor.value_id].tensor))) ||
      tensor.value_version != tensor.storage->version) {
    return define(tensor, nullptr);
  }
  return tensor.value_id;
}

std::vector<ValueId> Recorder::ids_of(const Value& value) {
  std::vector<ValueId> out;
  for (torch::Tensor* t : tensors_in(value)) {
    out.push_back(id_of(*t));
  }
  return out;
}

namespace {

/// "act", "ffn.act", or "ffn.act.name" where act is a set; "" for what is no
/// field.
std::string config_path(const eval::Provenance* p) {
  using Kind = eval::Provenance::Kind;
  if (p && p->kind == Kind::Config) {
    return p->name.str();
  }
  const bool item = p && p->kind == Kind::Index && p->right &&
                    p->right->kind == Kind::Constant &&
                    p->right->text.size() > 2 &&
                    p->right->text.find_first_of("'\"") == 0;
  const std::string set = item ? config_path(p->left) : "";
  return set.empty()
             ? ""
             : set + "." + p->right->text.substr(1, p->right->text.size() - 2);
}

bool reads_extent(const eval::Provenance* p) {
  return p &&
         (p->kind == eval::Provenance::Kind::Dim || reads_extent(p->left) ||
          reads_extent(p->right) || reads_extent(p->test));
}

}  // namespace

void Recorder::decide_as_before() {
  const std::function<void(const Frame&)> visit = [&](const Frame& frame) {
    for (const auto& item : frame.items) {
      if (const auto* child = std::get_if<std::unique_ptr<Frame>>(&item)) {
        visit(**child);
      } else if (const auto* branch = std::get_if<Branch>(&item);
                 branch && reads_extent(branch->condition)) {
        const auto [it, fresh] = decided_.try_emplace(
            {branch->span.file, branch->span.begin, branch->span.end},
            branch->outcome);
        if (!fresh && it->second != branch->outcome) {
          it->second.reset();
        }
      }
    }
  };
  visit(trace_->root);
}

/// The outcome to go on with.
bool Recorder::record(Branch branch) {
  if (const auto it =
          decided_.find({branch.span.file, branch.span.begin, branch.span.end});
      it != decided_.end() && it->second && reads_extent(branch.condition)) {
    branch.outcome = *it->second;
  }
  if (!constructing_.empty()) {
    trace_->constructions[constructing_.back().first].branches.push_back(
        branch);
  }
  frame_->items.emplace_back(branch);
  return branch.outcome;
}

const eval::Provenance* Recorder::reason(const Value& condition) {
  torch::Tensor* tensor = torch::as_tensor(condition);
  return tensor ? interp_.provenance(
                      {.kind = eval::Provenance::Kind::Data,
                       .value_id = id_of(*tensor)})
                : condition.provenance();
}

bool Recorder::on_branch(
    const base::Span& span,
    const Value& condition,
    bool outcome) {
  return record({span, reason(condition), outcome, false});
}

bool Recorder::on_operand(
    const base::Span& span,
    const Value& value,
    bool outcome) {
  return record({span, reason(value), outcome, true});
}

void Recorder::on_enter(
    eval::Function& function,
    std::span<const Value> args,
    const base::Span& call) {
  start_construction(function, args);
  const bool selects =
      function.name == "__getitem__" && args.size() == 2 && args[1].is_str();
  if (const std::string field =
          selects ? config_path(args[1].provenance()) : "";
      !field.empty()) {
    trace_->selectors.emplace(field, args[1].str());
    if (args[1].provenance()->kind == eval::Provenance::Kind::Config) {
      selecting_.emplace_back(
          Selection{field, args[1].str(), args[0]}, has_frame_.size() + 1);
    }
  }
  if (function.name == "__getitem__" && args.size() == 2 && args[1].is_int() &&
      args[1].provenance()) {
    picking_.emplace_back(args[1].provenance(), has_frame_.size() + 1);
  }
  // Of our own preludes only the forwards of nn modules matter.
  bool is_forward = function.name == "forward" && !args.empty() &&
                    args[0].is_object() &&
                    module_paths_.contains(args[0].object());
  // A decorated forward calls the one it wraps: that is the same call.
  const Frame* around = frame_;
  while (around->parent && !around->is_module()) {
    around = around->parent;
  }
  if (is_forward && around->is_module() &&
      around->module.object() == args[0].object()) {
    is_forward = false;
  }
  has_frame_.push_back(is_forward || !is_ours(function));
  if (!has_frame_.back()) {
    return;
  }
  auto frame = std::make_unique<Frame>();
  frame->function = eval::Ref<eval::Function>(&function);
  frame->args.assign(args.begin(), args.end());
  for (const Value& arg : args) {
    if (is_forward && &arg == &args[0]) {
      continue;
    }
    for (ValueId id : ids_of(arg)) {
      frame->inputs.push_back(id);
    }
  }
  if (is_forward) {
    frame->module = args[0];
    frame->path = module_paths_[args[0].object()];
    if (const auto it = picked_.find(args[0].object()); it != picked_.end()) {
      frame->picked = it->second;
      picked_.erase(it);
    }
  }
  frame->call = call;
  frame->parent = frame_;
  Frame* entered = frame.get();
  frame_->items.emplace_back(std::move(frame));
  frame_ = entered;
}

void Recorder::start_construction(
    eval::Function& function,
    std::span<const Value> args) {
  if (function.name != "__init__" || args.empty() ||
      !args[0].is(eval::Kind::Instance)) {
    return;
  }
  // super().__init__() of the same object belongs to the outermost one.
  const eval::Object* self = args[0].object();
  auto [entry, fresh] = trace_->constructions.try_emplace(self);
  if (fresh) {
    entry->second.function = eval::Ref<eval::Function>(&function);
    entry->second.args.assign(args.begin(), args.end());
    constructing_.emplace_back(self, has_frame_.size() + 1);
  }
}

void Recorder::on_exit(eval::Function&, const Value& result) {
  if (!selecting_.empty() && selecting_.back().second == has_frame_.size()) {
    if (result.is(eval::Kind::Instance)) {
      trace_->selected.emplace(
          result.object(), std::move(selecting_.back().first));
    }
    selecting_.pop_back();
  }
  if (!picking_.empty() && picking_.back().second == has_frame_.size()) {
    if (result.is(eval::Kind::Instance)) {
      picked_[result.object()] = picking_.back().first;
    }
    picking_.pop_back();
  }
  if (!constructing_.empty() &&
      constructing_.back().second == has_frame_.size()) {
    constructing_.pop_back();
  }
  const bool had_frame = has_frame_.back();
  has_frame_.pop_back();
  if (!had_frame) {
    return;
  }
  frame_->result = result;
  if (result.defined()) {
    frame_->outputs = ids_of(result);
  }
  frame_ = frame_->parent;
}

void Recorder::on_loop(const base::Span&, const Value& iterated) {
  Frame* frame = frame_;
  while (frame->parent && !frame->is_module()) {
    frame = frame->parent;
  }
  const eval::Range* range =
      iterated.is(eval::Kind::Range) ? iterated.get<eval::Range>() : nullptr;
  const bool counts = range && range->start == 0 && range->step == 1;
  loops_.push_back(
      {frame, ++runs_, counts ? range->stop_provenance : nullptr, 0, {}});
}

void Recorder::end_turn(Loop& loop) {
  if (loop.turn) {
    loop.frame->turns[*loop.turn].end =
        static_cast<ValueId>(trace_->values.size());
    loop.turn.reset();
  }
}

void Recorder::on_turn() {
  Loop& loop = loops_.back();
  end_turn(loop);
  const bool nested =
      loops_.size() > 1 && loops_[loops_.size() - 2].frame == loop.frame;
  const auto now = static_cast<ValueId>(trace_->values.size());
  loop.turn = loop.frame->turns.size();
  loop.frame->turns.push_back(
      {loop.run,
       nested ? loops_[loops_.size() - 2].run : 0,
       loop.turns++,
       loop.bound,
       now,
       now});
}

void Recorder::on_loop_end() {
  end_turn(loops_.back());
  loops_.pop_back();
}

void Recorder::on_bind(base::Symbol name, const Value& value) {
  if (torch::Tensor* t = torch::as_tensor(value)) {
    auto& names = trace_->values[id_of(*t)].names;
    if (names.empty() || names.back() != name) {
      names.push_back(name);
    }
  }
}

namespace {

/// Arguments as they were: the source may append to a list of tensors later.
std::vector<Value> as_they_were(std::span<const Value> args) {
  std::vector<Value> out(args.begin(), args.end());
  for (Value& arg : out) {
    if (arg.is(eval::Kind::List) && !tensors_in(arg).empty()) {
      arg = eval::list(arg.get<eval::List>()->items);
    }
  }
  return out;
}

}  // namespace

void Recorder::on_op(
    const torch::Op& op,
    std::span<const Value> args,
    const Value& result) {
  OpNode node;
  node.op = &op;
  node.args = as_they_were(args);
  node.result = result;
  node.span = interp_.here();
  auto& item = frame_->items.emplace_back(std::move(node));
  OpNode& stored = std::get<OpNode>(item);
  // An in-place op has written already: it read the older values, also those
  // of other views of what it wrote to.
  auto read_before = [&](const torch::Tensor& t) {
    return op.in_place && t.value_id &&
           (&t == torch::as_tensor(stored.args[0]) ||
            (t.value_version + 1 == t.storage->version &&
             t.shares_storage(*torch::as_tensor(stored.args[0]))));
  };
  for (const Value& arg : stored.args) {
    for (torch::Tensor* t : tensors_in(arg)) {
      large_.note(*t);  // read again after a write, perhaps
      stored.inputs.push_back(read_before(*t) ? t->value_id : id_of(*t));
    }
  }
  for (torch::Tensor* t : tensors_in(result)) {
    large_.note(*t);
    const bool same_object = std::any_of(
        stored.inputs.begin(), stored.inputs.end(), [&](ValueId id) {
          return trace_->values[id].tensor.object() == t;
        });
    // x.float() of a float32 tensor answers x itself.
    stored.outputs.push_back(
        same_object && !op.in_place ? t->value_id : define(*t, &stored));
  }
  if (op.name == "squeeze_" || op.name == "unsqueeze_") {
    // Nothing was written: the tensor has another shape from now on.
    stored.op = torch::find_op(op.name.substr(0, op.name.size() - 1));
    return;
  }
  if (op.in_place && torch::as_tensor(stored.args[0])) {
    store_through(*torch::as_tensor(stored.args[0]), stored.span);
  }
}

void Recorder::store_through(torch::Tensor& view, const base::Span& span) {
  if (!view.origin || view.origin->op->name != "getitem") {
    return;
  }
  torch::Tensor& source = *view.origin->source;
  const ValueId before = source.value_id;
  const bool known = before && before < trace_->values.size() &&
                     trace_->values[before].tensor.object() == &source &&
                     source.shares_storage(view) &&
                     source.value_version + 1 == source.storage->version;
  if (!known) {
    return;
  }
  OpNode node;
  node.op = torch::find_op("setitem_");
  const Value target(static_cast<eval::Object*>(&source));
  node.args = {
      target, view.origin->args[1], Value(static_cast<eval::Object*>(&view))};
  node.result = target;
  node.inputs = {before, view.value_id};
  node.span = span;
  OpNode& stored =
      std::get<OpNode>(frame_->items.emplace_back(std::move(node)));
  stored.outputs = {define(source, &stored)};
  store_through(source, span);
}

std::vector<torch::Tensor*> tensors_in(const Value& value) {
  std::vector<torch::Tensor*> out;
  std::vector<const eval::Object*> seen;
  std::function<void(const Value&)> visit = [&](const Value& v) {
    if (!v.is_object()) {
      return;
    }
    switch (v.object()->kind) {
      case eval::Kind::Tensor:
        out.push_back(v.get<torch::Tensor>());
        return;
      case eval::Kind::List:
        for (const Value& item : v.get<eval::List>()->items) {
          visit(item);
        }
        return;
      case eval::Kind::Tuple:
        for (const Value& item : v.get<eval::Tuple>()->items) {
          visit(item);
        }
        return;
      case eval::Kind::Dict:
        for (const auto& e : v.get<eval::Dict>()->entries()) {
          if (e.key.defined()) {
            visit(e.value);
          }
        }
        return;
      case eval::Kind::Slice:
        visit(v.get<eval::Slice>()->lower);
        visit(v.get<eval::Slice>()->upper);
        visit(v.get<eval::Slice>()->step);
        return;
      default:
        return;
    }
  };
  visit(value);
  return out;
}

const std::string& Frame::module_name() const {
  static const std::string kNone;
  return function ? function->globals->name : kNone;
}

std::string Frame::qualname() const {
  return function ? function->code->qualname : "";
}

}  // namespace portwright::trace
