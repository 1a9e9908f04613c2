#include <cstring>

#include "emit/module_writer.h"
#include "emit/operation_rules.h"

namespace portwright::emit {

using eval::Value;
using lift::Flow;

namespace {

/// The creation that an operation's output began as, of the same shape; null
/// where there is none.
const OpNode* creation(const Context& context, const OpNode* op) {
  while (op && !op->inputs.empty()) {
    const auto& from = context.trace.info(op->inputs[0]);
    op = from.shape == context.trace.info(op->outputs[0]).shape ? from.producer
                                                                : nullptr;
  }
  return op;
}

/// The operation of the construction that made a tensor's elements, or null.
const OpNode* maker(const Context& context, const torch::Tensor& tensor) {
  for (const auto& info : context.trace.values) {
    const auto* other = torch::as_tensor(info.tensor);
    if (other && info.producer && other->shares_storage(tensor) &&
        other->sizes == tensor.sizes) {
      if (const OpNode* op = creation(context, info.producer)) {
        return op;
      }
    }
  }
  return nullptr;
}

bool is_sequence(const Value& v) {
  return v.is(eval::Kind::Tuple) || v.is(eval::Kind::List);
}

/// How long nested lists of elements are.
std::vector<Value> sizes_of_elements(Context& context, Value elements) {
  std::vector<Value> out;
  while (is_sequence(elements)) {
    const auto items = context.interp.to_vector(elements);
    out.push_back(Value::integer(static_cast<int64_t>(items.size())));
    elements = items.empty() ? Value() : items.front();
  }
  return out;
}

/// The sizes a creation was given: zeros(a, b), zeros((a, b)), eye(a),
/// tensor([x, y]).
std::vector<Value> sizes_given(Context& context, const OpNode& op) {
  const auto argument = [&](const char* name) {
    const int i = op.op->param(name);
    return i >= 0 ? op.args[i] : Value();
  };
  if (op.op->name == "tensor") {
    return sizes_of_elements(context, argument("data"));
  }
  if (op.op->name == "eye") {
    const Value columns = argument("m");
    return {argument("n"), columns.is_int() ? columns : argument("n")};
  }
  for (const char* name : {"size", "input"}) {
    const Value sizes = argument(name);
    if (is_sequence(sizes)) {
      auto items = context.interp.to_vector(sizes);
      if (items.size() == 1 && !items[0].is_int() && items[0].is_object()) {
        items = context.interp.to_vector(items[0]);
      }
      return items;
    }
  }
  return {};
}

}  // namespace

std::vector<Value> ModuleWriter::created_sizes(ValueId id) const {
  const auto& shape = context_.trace.info(id).shape;
  const auto* tensor = torch::as_tensor(context_.trace.info(id).tensor);
  const OpNode* made = tensor ? maker(context_, *tensor) : nullptr;
  auto given = made ? sizes_given(context_, *made) : std::vector<Value>{};
  given.resize(given.size() == shape.size() ? shape.size() : 0);
  for (size_t i = 0; i < given.size(); ++i) {
    if (!given[i].is_int() || given[i].as_int() != shape[i]) {
      given[i] = {};
    }
  }
  return given;
}

std::vector<std::string> ModuleWriter::size_texts(ValueId id) {
  const auto& shape = context_.trace.info(id).shape;
  const auto given = created_sizes(id);
  std::vector<std::string> sizes;
  for (size_t i = 0; i < shape.size(); ++i) {
    sizes.push_back(
        i < given.size() && given[i].defined()
            ? context_.args_text(given[i])
            : context_.integer_text(frame_.module, shape[i]));
  }
  return sizes;
}

std::string ModuleWriter::shape_text(ValueId id) {
  const auto sizes = size_texts(id);
  return "(" + join(sizes) + (sizes.size() == 1 ? ",)" : ")");
}

Expression ModuleWriter::member(
    const std::string& path,
    const std::string& text) {
  if (path.find('.') == std::string::npos) {
    initialise(path, text);
    return {"self." + path, kPrimary};
  }
  for (const Frame* call : graph_.calls) {
    // A submodule that is called, and whose own submodules are too.
    if (path.starts_with(child_name(call->path) + ".") &&
        std::count(path.begin(), path.end(), '.') == 1) {
      const std::string line = "self." + path + " = " + text;
      if (std::find(late_init_.begin(), late_init_.end(), line) ==
          late_init_.end()) {
        late_init_.push_back(line);
      }
      return {"self." + path, kPrimary};
    }
  }
  return {members_.put(path, text), kPrimary};
}

Expression ModuleWriter::parameter(ValueId id) {
  const std::string& whole = context_.trace.info(id).parameter;
  if (!frame_.path.empty() && !whole.starts_with(frame_.path + ".")) {
    context_.hole(frame_.call, "'" + whole + "' lies in another module");
  }
  for (const Frame* call : graph_.calls) {
    // A submodule that hands its parameter out holds it.
    if (whole.starts_with(call->path + ".") &&
        std::find(call->outputs.begin(), call->outputs.end(), id) !=
            call->outputs.end()) {
      return {
          access_text("self", child_name(call->path)) +
              whole.substr(call->path.size()),
          kPrimary};
    }
  }
  const std::string path = child_name(whole);
  if (context_.evaluation.handed.contains(id) &&
      path.find('.') != std::string::npos) {
    // Others look up in it: an array, which no quantization packs.
    return {members_.put(path, "mx.zeros(" + shape_text(id) + ")"), kPrimary};
  }
  return member(path, "mx.zeros(" + shape_text(id) + ")");
}

bool ModuleWriter::in_checkpoint(ValueId id) const {
  const std::string& path = context_.trace.info(id).parameter;
  if (path.empty()) {
    return false;
  }
  const size_t dot = path.rfind('.');
  const Value owner =
      context_.module(dot == std::string::npos ? "" : path.substr(0, dot));
  const std::string name =
      dot == std::string::npos ? path : path.substr(dot + 1);
  bool transient = false;
  context_.interp.for_each(
      context_.interp.getattr(owner, "_non_persistent_buffers_set"),
      [&](Value v) {
        transient = transient || (v.is_str() && v.str() == name);
      });
  return !transient;
}

Expression ModuleWriter::buffer(ValueId id) {
  const auto& info = context_.trace.info(id);
  if (!frame_.path.empty() && !info.parameter.starts_with(frame_.path + ".")) {
    context_.hole(
        frame_.call,
        "'" + frame_.path + "' reads the buffer '" + info.parameter +
            "' of another module");
  }
  const std::string path = child_name(info.parameter);
  if (in_checkpoint(id)) {
    return member(path, "mx.zeros(" + shape_text(id) + ")");
  }
  // Made again as the source's construction made it. MLX takes attributes with
  // an underscore for no parameters.
  const auto& tensor = *torch::as_tensor(info.tensor);
  ValueId made = 0;
  for (ValueId other = 1; other < context_.trace.values.size(); ++other) {
    const auto& candidate = context_.trace.info(other);
    const auto* t = torch::as_tensor(candidate.tensor);
    if (candidate.producer && t && t->shares_storage(tensor) &&
        t->sizes == tensor.sizes && candidate.parameter.empty() &&
        context_.flows.of(other) == Flow::Constant) {
      made = other;
    }
  }
  if (!made) {
    context_.hole(
        frame_.call,
        "the buffer '" + info.parameter + "' is made in no known way");
  }
  std::string attribute = "_" + path;
  std::replace(attribute.begin(), attribute.end(), '.', '_');
  // What __init__ computes is float32, unless the model itself rounds it.
  const auto rounded = info.dtype == torch::Dtype::BFloat16 ||
                               info.dtype == torch::Dtype::Float16
                           ? dtype_text(info.dtype)
                           : std::nullopt;
  const Expression own{
      computed_in_init(
          attribute, made, rounded ? "astype(" + *rounded + ")" : ""),
      kPrimary};
  const bool narrow = torch::is_floating_point(info.dtype) && !constructing_ &&
                      half_dtype(id) == torch::Dtype::BFloat16;
  return narrow && !rounded ? narrowed(own) : own;
}

std::string ModuleWriter::computed_in_init(
    const std::string& attribute,
    ValueId id,
    const std::string& shaped) {
  return made_in_init(attribute, id, [&](const Expression& made) {
    return shaped.empty() ? made.text : made.at(kPrimary) + "." + shaped;
  });
}

std::string ModuleWriter::made_in_init(
    const std::string& attribute,
    ValueId id,
    const std::function<std::string(const Expression&)>& made) {
  if (init_names_.insert(attribute).second) {
    ModuleWriter construction(context_, context_.trace.root);
    construction.constructing_ = true;
    construction.states_dtype.clear();
    construction
        .reassigned_ = {};  // by conditions, of which there are none here
    construction.count_uses({id});
    const Expression text = construction.value(id);
    late_init_.insert(
        late_init_.end(),
        construction.statements_.begin(),
        construction.statements_.end());
    late_init_.push_back("self." + attribute + " = " + made(text));
  }
  return "self." + attribute;
}

namespace {

/// True where the source lays the positions of all rows in one line: a row of
/// them does not stand for the others then.
bool flattens_positions(const Context& context, const lift::Graph& graph) {
  static const std::set<std::string_view> kFlattening{
      "view", "reshape", "flatten", "index_select"};
  const ValueId positions = context.evaluation.positions;
  const auto& shape = context.trace.info(positions).shape;
  std::set<ValueId> rows{positions};
  for (const OpNode* op : graph.ops) {
    const bool reads =
        std::any_of(op->inputs.begin(), op->inputs.end(), [&](ValueId id) {
          return rows.contains(id);
        });
    if (reads && kFlattening.contains(op->op->name)) {
      return true;
    }
    for (ValueId id : op->outputs) {
      if (reads && context.trace.info(id).shape == shape) {
        rows.insert(id);
      }
    }
  }
  return false;
}

}  // namespace

/// "gate" for the weight of the direct submodule `gate`, else "".
std::string ModuleWriter::weight_owner(ValueId weight) const {
  const std::string path = context_.trace.info(weight).parameter;
  const std::string prefix = frame_.path.empty() ? "" : frame_.path + ".";
  if (!path.starts_with(prefix) || !path.ends_with(".weight") ||
      path.size() == prefix.size() - 1 + std::strlen(".weight")) {
    return "";
  }
  const std::string name = path.substr(
      prefix.size(), path.size() - prefix.size() - std::strlen(".weight"));
  return name.find('.') == std::string::npos ? name : "";
}

Expression ModuleWriter::positions() {
  if (position_cache_) {
    return shared_positions();
  }
  const bool keeps_keys =
      !lift::keeps_state(frame_) || lift::updates_keys(frame_);
  return keeps_keys ? attention_.positions() : recurrent_.positions();
}

Expression ModuleWriter::shared_positions() {
  const std::string cache = position_cache_();
  const std::string offset = fresh("offset");
  statement(
      offset + " = " + cache + ".offset if " + cache + " is not None else 0");
  const std::string name = fresh("positions");
  // Rows of a batch have offsets of their own, negative where padded.
  std::string text = "mx.maximum(mx.array(" + offset +
                     ").reshape(-1, 1) + mx.arange(" + length_text_ + "), 0)";
  if (flattens_positions(context_, graph_)) {
    const std::string shape = length_text_.substr(0, length_text_.find('['));
    text = "mx.broadcast_to(" + text + ", " + shape + "[:2])";
  }
  statement(name + " = " + text);
  bind(context_.evaluation.positions, name);
  return {name, kPrimary};
}

}  // namespace portwright::emit
