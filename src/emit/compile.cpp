#include "emit/compile.h"

#include <algorithm>

#include "emit/appended_keys.h"
#include "emit/built_weights.h"
#include "emit/choices.h"
#include "emit/exploration.h"
#include "emit/first_states.h"
#include "emit/handed_tables.h"
#include "emit/hidden_scores.h"
#include "emit/kept_keys.h"
#include "emit/kept_states.h"
#include "emit/layer_states.h"
#include "emit/own_elements.h"
#include "emit/position_tables.h"
#include "library/guarded.h"
#include "lift/made_masks.h"
#include "lift/print.h"
#include "lift/proof.h"
#include "trace/recorder.h"

namespace portwright::emit {

namespace mx = mlx::core;
using eval::Value;

namespace {

void collect_numbers(const nlohmann::json& json, std::set<int64_t>& out) {
  if (json.is_number_integer()) {
    out.insert(json.get<int64_t>());
  } else if (json.is_structured()) {
    for (const auto& item : json) {
      collect_numbers(item, out);
    }
  }
}

/// The smallest primes that no field of the config equals: an extent of a
/// shape then says by its value whether it is the batch or the length.
std::vector<int64_t> unused_primes(const nlohmann::json& config, size_t count) {
  std::set<int64_t> taken;
  collect_numbers(config, taken);
  std::vector<int64_t> out;
  for (int64_t n = 5; out.size() < count; ++n) {
    bool prime = true;
    for (int64_t d = 2; d * d <= n; ++d) {
      prime = prime && n % d != 0;
    }
    if (prime && !taken.contains(n)) {
      out.push_back(n);
    }
  }
  return out;
}

Value tensor(eval::Interpreter& interp, const mx::array& a) {
  return Value(torch::make_tensor(interp, a, torch::Dtype::Int64));
}

mx::array positions(int64_t from, int64_t to, int64_t batch) {
  return mx::broadcast_to(
      mx::arange(static_cast<double>(from), static_cast<double>(to), mx::int64),
      {static_cast<int>(batch), static_cast<int>(to - from)});
}

/// What a model keeps between forwards, and the keyword by which it is given.
struct Cache {
  std::string name;
  Value value;
};

/// Calls the model as generate() does, on ids from..to of every row; its
/// answer.
Value call_model(
    eval::Interpreter& interp,
    const Value& model,
    const Cache& cache,
    int64_t from,
    int64_t to,
    int64_t batch,
    bool masked,
    Evaluation* evaluation,
    bool keeps = true) {
  const Value ids = tensor(
      interp, mx::remainder(positions(from, to, batch), mx::array(int64_t(3))));
  const Value position_ids = tensor(interp, positions(from, to, batch));
  const Value mask = tensor(
      interp,
      mx::ones({static_cast<int>(batch), static_cast<int>(to)}, mx::int64));
  eval::CallArgs args;
  auto add = [&](const char* name, Value v) {
    args.keywords.emplace_back(base::Symbol(name), std::move(v));
  };
  add("input_ids", ids);
  if (masked) {
    add("attention_mask", mask);
  }
  const Value running(interp.import_module("portwright.running"));
  if (interp.truthy(
          interp.call(interp.getattr(running, "takes_positions"), {model}))) {
    add("position_ids", position_ids);
  }
  add(cache.name.c_str(), cache.value);
  if (const Value at = interp.call(
          interp.getattr(running, "cache_position"),
          {model, cache.value, ids, position_ids});
      !at.is_none()) {
    add("cache_position", at);
  }
  if (const Value kept = interp.call(interp.getattr(running, "kept"), {model});
      !kept.is_none()) {
    add("logits_to_keep", kept);
  }
  add("use_cache", Value::boolean(keeps));
  const Value outputs = interp.call(model, std::move(args));
  if (evaluation) {
    const Value logits = interp.getattr(outputs, "logits");
    auto id = [](const Value& v) { return torch::as_tensor(v)->value_id; };
    evaluation->ids = id(ids);
    evaluation->positions = id(position_ids);
    evaluation->mask = masked ? id(mask) : 0;
    evaluation->logits = id(logits);
  }
  return outputs;
}

/// Nothing is recorded while it lives.
class Pause {
 public:
  explicit Pause(eval::Interpreter& interp)
      : interp_(interp),
        observer_(interp.observer),
        ops_(torch::op_observer(interp)) {
    interp.observer = nullptr;
    torch::set_op_observer(interp, nullptr);
  }
  ~Pause() {
    interp_.observer = observer_;
    torch::set_op_observer(interp_, ops_);
  }

 private:
  eval::Interpreter& interp_;
  eval::Observer* observer_;
  torch::OpObserver* ops_;
};

Value value_or_throw(library::Evaluated<Value> v) {
  if (!v) {
    throw eval::Refusal{v.error()};
  }
  return *v;
}

}  // namespace

namespace {

/// What differs between layers can be read of the whole config, too.
void allow_global_fields(eval::Interpreter& interp, const Value& config) {
  const base::Symbol name("allow_global_per_layer_attribute_access");
  if (interp.try_getattr(config, name).defined()) {
    interp.setattr(config, name, Value::boolean(true));
  }
}

/// The cache after a prefix; some models make one themselves.
Cache fill_cache(eval::Interpreter& interp, bool masked, const Evaluation& e) {
  const Value running(interp.import_module("portwright.running"));
  const Value name =
      interp.call(interp.getattr(running, "cache_name"), {e.model});
  Cache cache{name.str(), value_or_throw(library::make_cache(interp, e.model))};
  if (cache.value.is_none()) {
    cache.value = interp.call(
        interp.getattr(running, "own_cache"),
        {e.model, Value::integer(e.batch)});
  }
  const auto fill = [&] {
    return call_model(
        interp, e.model, cache, 0, e.offset, e.batch, masked, nullptr);
  };
  Value outputs;
  try {
    outputs = fill();
  } catch (const eval::PythonError&) {
    // Older models know no cache of the library's: they begin with none, and
    // answer pairs of tensors.
    if (cache.value.is_none()) {
      throw;
    }
    cache.value = Value::none();
    outputs = fill();
  }
  const Value handed_on = interp.call(
      interp.getattr(running, "handed_on"), {e.model, outputs, cache.value});
  if (!handed_on.is_none()) {
    const auto pair = interp.to_vector(handed_on);
    cache = {pair[0].str(), pair[1]};
  }
  interp.call(interp.getattr(running, "start_anew"), {cache.value});
  return cache;
}

/// None, by the keyword that a cache would have.
Cache no_cache(eval::Interpreter& interp, const Evaluation& e) {
  const Value running(interp.import_module("portwright.running"));
  return {
      interp.call(interp.getattr(running, "cache_name"), {e.model}).str(),
      Value::none()};
}

/// Records the forward of one more token, and folds it into the modules'; where
/// what the source does for one token alone mixes the rows, the one for more.
void record_step(
    eval::Interpreter& interp,
    trace::Recorder& recorder,
    KeptStates& kept,
    const std::vector<KeptStates::Change>& changes,
    const std::set<std::string>& left,
    const Evaluation& e,
    const std::function<torch::Sizes()>& forward) {
  Trace& recorded = recorder.trace();
  const size_t items = recorded.root.items.size();
  const auto size = [&] {
    return static_cast<trace::ValueId>(recorded.values.size());
  };
  const auto first = size();
  bool by_rows = true;
  const auto one_token = [&] {
    return library::guarded(interp, [&] {
      const auto start = size();
      const auto shape = forward();
      by_rows = shape.size() != 3 || (shape[0] == e.batch && shape[1] == 1);
      auto all = kept.changes(start);
      std::erase_if(
          all, [&](const auto& change) { return left.contains(change.place); });
      return before_copies(recorded, give_to_layers(interp, recorded, all, 0));
    });
  };
  auto step = one_token();
  if (!by_rows) {
    forget_rest(recorded, items, first);
    recorder.decide_as_before();
    step = one_token();
  }
  fold_step(
      interp,
      recorded,
      items,
      first,
      changes,
      step.value_or(std::vector<KeptStates::Change>{}));
}

/// Attributes that a module leaves in each forward and no forward reads, as a
/// loss for a trainer: no states. `changes` are those of several tokens; what
/// one token does is tried on a cache of its own.
std::set<std::string> find_left(
    eval::Interpreter& interp,
    trace::Recorder& recorder,
    const std::vector<KeptStates::Change>& changes,
    bool masked,
    Evaluation& e) {
  std::set<std::string> out;
  for (const auto& change : changes) {
    if (!change.own || change.place.starts_with("cache")) {
      continue;
    }
    if (change.before) {
      return {};  // the attributes are not ours to try on
    }
    out.insert(change.place);
  }
  if (out.empty()) {
    return {};
  }
  Trace& recorded = recorder.trace();
  const size_t items = recorded.root.items.size();
  const auto first = static_cast<trace::ValueId>(recorded.values.size());
  const auto step = library::guarded(interp, [&] {
    Cache cache;
    {
      Pause pause(interp);
      cache = fill_cache(interp, masked, e);
    }
    KeptStates kept(interp, recorded, cache.value);
    call_model(
        interp, e.model, cache, e.offset, e.offset + 1, e.batch, masked, {});
    return kept.changes(first);
  });
  forget_rest(recorded, items, first);
  recorder.decide_as_before();
  std::set<std::string> left;
  for (const auto& change : step.value_or(std::vector<KeptStates::Change>{})) {
    if (!change.before && out.contains(change.place)) {
      left.insert(change.place);
    }
  }
  return left;
}

bool keeps_same(const KeptStates::Change& a, const KeptStates::Change& b) {
  return a.after == b.after;
}

/// What a tensor was before the source changed it in place.
ValueId as_given(const Trace& trace, ValueId id) {
  while (const trace::OpNode* op = trace.info(id).producer) {
    id = op->inputs.front();
  }
  return id;
}

/// What a forward is given besides ids.
struct Calling {
  bool masked = true;
  bool cached = true;  // a prefix goes before, else nothing is kept
};

/// Builds a model and records it.
std::unique_ptr<trace::Trace> record_model(
    eval::Interpreter& interp,
    torch::Dtype dtype,
    Calling how,
    Evaluation& e) {
  const bool masked = how.masked;
  trace::Recorder recorder(interp);
  e.model = value_or_throw(library::build_model(interp, e.config, dtype));
  const Value running(interp.import_module("portwright.running"));
  const Value shared = interp.call(interp.getattr(running, "untie"), {e.model});
  for (const auto& entry : shared.get<eval::Dict>()->entries()) {
    if (entry.key.defined()) {
      e.shared[entry.key.str()] = entry.value.str();
    }
  }
  interp.call(interp.getattr(running, "give_apart"), {e.model});
  interp.call(interp.getattr(running, "stack_lists"), {e.model});
  interp.call_method(e.model, "eval");
  Cache cache;
  {
    Pause pause(interp);
    const BuiltWeights built(interp, e.model);
    cache = how.cached ? fill_cache(interp, masked, e) : no_cache(interp, e);
    if (built.restore() && how.cached) {
      // Weights that are normalised once are so whatever comes first.
      const BuiltWeights anew(interp, e.model);
      {
        const lift::RandomParameters random(interp, e.model);
        fill_cache(interp, masked, e);
        const BuiltWeights once(interp, e.model);
        fill_cache(interp, masked, e);
        once.refuse_changed();
      }
      anew.restore();
    }
  }
  recorder.built(e.model);
  const BuiltWeights built(interp, e.model);
  const auto forward = [&](int64_t from, int64_t count, Evaluation* given) {
    const Value outputs = call_model(
        interp,
        e.model,
        cache,
        from,
        from + count,
        e.batch,
        masked,
        given,
        how.cached);
    return torch::as_tensor(interp.getattr(outputs, "logits"))->sizes;
  };
  Trace& recorded = recorder.trace();
  KeptStates kept(interp, recorded, cache.value);
  forward(e.offset, e.length, &e);
  for (ValueId* id : {&e.ids, &e.positions, &e.mask}) {
    *id = as_given(recorded, *id);
  }
  const auto appended = take_appended_keys(interp, recorded, e);
  auto whole = kept.changes(1);
  std::erase_if(whole, [&](const auto& change) {
    return appended.contains(change.after);
  });
  const auto left = how.cached ? find_left(interp, recorder, whole, masked, e)
                               : std::set<std::string>{};
  const auto is_left = [&](const auto& change) {
    return left.contains(change.place);
  };
  std::erase_if(whole, is_left);
  const auto given = give_to_layers(interp, recorded, whole, e.ids);
  const auto changes = before_copies(recorded, given);
  if (normalise_states(interp, recorded, changes, e.ids)) {
    record_step(interp, recorder, kept, changes, left, e, [&] {
      return forward(e.offset + e.length, 1, nullptr);
    });
  }
  if (given.size() != whole.size() ||
      !std::equal(given.begin(), given.end(), whole.begin(), keeps_same)) {
    const auto numbers = find_first_states(
        interp, recorder, [&] { return fill_cache(interp, masked, e).value; });
    for (const auto& change : changes) {
      const auto it = numbers.find(change.place);
      if (it != numbers.end() && it->second != 0) {
        e.first_states[change.after] = it->second;
      }
    }
  }
  auto trace = recorder.finish();
  built.restore();
  allow_global_fields(interp, e.config);
  e.keeps = lift::uses_cache(trace->root);
  read_tables_by_position(interp, *trace, e);
  keep_own_elements(interp, *trace, e);
  keep_keys(interp, *trace, e);
  hide_by_library_masks(interp, *trace, e);
  hand_on_tables(interp, *trace, e);
  note_choices(interp, *trace, e);
  return trace;
}

library::Evaluated<Recording> record_with(
    eval::Interpreter& interp,
    const nlohmann::json& config_json,
    Calling how) {
  return library::guarded(interp, [&] {
    Recording out;
    Evaluation& e = out.evaluation;
    const auto primes = unused_primes(config_json, 3);
    e.batch = primes[0];
    e.length = primes[1];
    e.offset = how.cached ? primes[2] : 0;
    e.cached = how.cached;
    e.json = config_json;
    e.config = value_or_throw(library::load_config(interp, config_json));
    out.trace = record_model(interp, torch::Dtype::Float32, how, e);
    e.trace = out.trace.get();
    return out;
  });
}

}  // namespace

library::Evaluated<Recording> record(
    eval::Interpreter& interp,
    const nlohmann::json& config) {
  auto out = record_with(interp, config, {});
  if (out ? out->evaluation.keeps
          : out.error().kind != diagnostics::Kind::PythonError) {
    return out;
  }
  // Some take a mask of the new ids alone, which then hides none. Others know
  // several tokens at first alone, or keep nothing of those before: the trace
  // then keeps keys by itself.
  std::vector<Calling> others{{.masked = false, .cached = false}};
  if (!out) {
    others.insert(others.begin(), {.masked = false});
  }
  for (const Calling& other : others) {
    auto again = record_with(interp, config, other);
    const bool known =
        again ? other.cached || lift::uses_cache(again->trace->root)
              : again.error().kind == diagnostics::Kind::UnsupportedStructure;
    if (known) {
      return again;
    }
  }
  return out;
}

void record_half(
    eval::Interpreter& interp,
    Recording& recording,
    const Recording& like) {
  Evaluation& e = recording.evaluation;
  if (like.half) {
    auto twin = trace::match(*recording.trace, like.half->trace);
    if (twin.complete) {
      recording.half = std::make_unique<trace::Twin>(std::move(twin));
      e.half = recording.half.get();
      return;
    }
  }
  auto half = library::guarded(interp, [&] {
    Evaluation other = e;  // building writes the dtype into the config
    other.config = value_or_throw(library::load_config(interp, e.json));
    return record_model(
        interp, torch::Dtype::BFloat16, {e.mask != 0, e.cached}, other);
  });
  if (half) {
    recording.half = std::make_unique<trace::Twin>(
        trace::match(*recording.trace, std::move(*half)));
    e.half = recording.half.get();
  }
}

library::Evaluated<std::string> print_lifted(
    eval::Interpreter& interp,
    const Recording& recording) {
  return library::guarded(interp, [&] {
    const Evaluation& e = recording.evaluation;
    lift::Flows flows(*e.trace, e.ids, e.positions, e.mask);
    lift::note_made_masks(interp, *e.trace, e.length, flows);
    return lift::print(interp, *e.trace, flows, e.positions);
  });
}

namespace {

/// The first one, and those of the variants.
void keep_only(
    std::vector<Recording>& recordings,
    const std::vector<nlohmann::json>& variants) {
  const auto gone = [&](const Recording& recording) {
    return std::find(
               variants.begin(), variants.end(), recording.evaluation.json) ==
           variants.end();
  };
  recordings.erase(
      std::remove_if(recordings.begin() + 1, recordings.end(), gone),
      recordings.end());
}

}  // namespace

struct Compilation::State {
  eval::Interpreter& interp;
  Predicates predicates;
  std::vector<Recording> recordings;  // of the config itself, then of others
  std::optional<Recording> numbers;
  std::string kept;                    // the field that is the same in them
  std::map<std::string, bool> served;  // of these fields this value alone
  std::set<std::string> left_ropes;    // of no rope of these types
  std::set<std::string> added;         // configs that were asked for
  Timings timings;

  /// Reads what recording would read first; its faults are recording's.
  void read(const nlohmann::json& fields) {
    const base::Stopwatch reading(timings.read);
    if (const Value config = predicates.configs()(fields); config.defined()) {
      library::read_model_class(interp, config);
    }
  }

  library::Evaluated<Emitted> write() {
    std::vector<const Evaluation*> evaluations;
    for (const Recording& recording : recordings) {
      evaluations.push_back(&recording.evaluation);
    }
    auto out = library::guarded(interp, [&] {
      return emit_model(
          interp,
          predicates,
          evaluations,
          numbers ? &numbers->evaluation : nullptr,
          kept,
          served,
          left_ropes);
    });
    if (out) {
      timings.lift += out->lift_ms;
      timings.emit -= out->lift_ms;
    }
    return out;
  }

  /// False when there was none.
  bool forget_half() {
    const bool had = recordings.front().evaluation.half;
    for (Recording& recording : recordings) {
      recording.evaluation.half = nullptr;
    }
    if (numbers) {
      numbers->evaluation.half = nullptr;
    }
    return had;
  }
};

Compilation::Compilation(std::unique_ptr<State> state)
    : state_(std::move(state)) {}
Compilation::~Compilation() = default;
Compilation::Compilation(Compilation&&) noexcept = default;

library::Evaluated<Compilation> Compilation::start(
    eval::Interpreter& interp,
    const nlohmann::json& config) {
  std::unique_ptr<State> state(new State{interp, Predicates(interp)});
  state->read(config);
  const base::Stopwatch recording(state->timings.record);
  auto recordings = explore(interp, state->predicates, config);
  if (!recordings) {
    return tl::unexpected(recordings.error());
  }
  state->recordings = std::move(*recordings);
  for (Recording& recording : state->recordings) {
    record_half(interp, recording, state->recordings.front());
  }
  state->numbers = record_other_numbers(
      interp, state->predicates, state->recordings.front());
  if (state->numbers) {
    record_half(interp, *state->numbers, state->recordings.front());
  }
  return Compilation(std::move(state));
}

namespace {

/// True where all that differs from the config in `other` does so in `numbers`.
bool changes_all_of(
    const nlohmann::json& numbers,
    const nlohmann::json& other,
    const nlohmann::json& config) {
  return std::all_of(
      config.items().begin(), config.items().end(), [&](const auto& field) {
        return other.value(field.key(), nlohmann::json()) == field.value() ||
               numbers.value(field.key(), nlohmann::json()) != field.value();
      });
}

}  // namespace

/// Numbers may seem built in, or not tell, because other shares of an extent
/// are odd: then numbers with an even one tell.
void Compilation::try_other_shares(
    library::Evaluated<Emitted>& out,
    const std::function<library::Evaluated<Emitted>()>& attempt) {
  State& s = *state_;
  const Recording& base = s.recordings.front();
  for (const double share : {1.25, 2.0 / 3, 0.5}) {
    auto other = record_other_numbers(s.interp, s.predicates, base, "", share);
    if (!other || !changes_all_of(
                      other->evaluation.json,
                      s.numbers->evaluation.json,
                      base.evaluation.json)) {
      continue;
    }
    record_half(s.interp, *other, base);
    std::swap(s.numbers, other);
    auto even = attempt();
    const bool none = even && even->holes.empty() && even->numbers_told;
    if (none || (even && even->built_in && !out->numbers_told)) {
      out = std::move(even);
    } else {
      std::swap(s.numbers, other);
    }
    if (none) {
      return;
    }
  }
}

namespace {

/// The fields that say how often loops in the forwards of modules turn.
void add_loop_fields(const trace::Frame& frame, std::set<std::string>& out) {
  for (const trace::LoopTurn& turn : frame.turns) {
    if (turn.bound && turn.bound->kind == eval::Provenance::Kind::Config) {
      out.insert(turn.bound->name.str());
    }
  }
  for (const auto& item : frame.items) {
    if (const auto* child = std::get_if<std::unique_ptr<trace::Frame>>(&item)) {
      add_loop_fields(**child, out);
    }
  }
}

}  // namespace

/// Numbers built in may all follow from how often the source runs a loop: then
/// the file serves that value of the field alone.
void Compilation::serve_one_value(
    library::Evaluated<Emitted>& out,
    const std::function<library::Evaluated<Emitted>()>& attempt) {
  State& s = *state_;
  const Recording& base = s.recordings.front();
  // Steps of layers are not counted: experts take more, too.
  std::set<std::string> turning;
  if (takes_as_many_steps(base, *s.numbers)) {
    add_loop_fields(base.trace->root, turning);
    if (turning.empty()) {
      return;
    }
  }
  std::optional<Recording> numbers = std::move(s.numbers);
  for (const auto& [field, value] : base.evaluation.json.items()) {
    if (!value.is_number_integer() ||
        numbers->evaluation.json[field] == value ||
        (!turning.empty() && !turning.contains(field))) {
      continue;
    }
    s.numbers = record_other_numbers(s.interp, s.predicates, base, field);
    nlohmann::json wanted = numbers->evaluation.json;
    wanted[field] = value;
    if (!s.numbers || s.numbers->evaluation.json != wanted ||
        !takes_as_many_steps(base, *s.numbers)) {
      continue;
    }
    s.kept = field;
    record_half(s.interp, *s.numbers, base);
    if (auto kept = attempt(); kept && kept->holes.empty()) {
      out = std::move(kept);
      return;
    }
  }
  s.kept.clear();
  s.numbers = std::move(numbers);
}

library::Evaluated<Emitted> Compilation::write() {
  const base::Stopwatch whole(state_->timings.emit);
  auto& recordings = state_->recordings;
  const auto attempt = [&] {
    library::Evaluated<Emitted> out;
    for (bool all = false; !all;) {
      out = state_->write();
      // What could not be served has left its traces in how the rest is
      // written.
      all = !out || !out->holes.empty() ||
            out->variants.size() + 1 == recordings.size();
      if (!all) {
        const size_t before = recordings.size();
        keep_only(recordings, out->variants);
        all = recordings.size() == before;
      }
    }
    return out;
  };
  auto out = attempt();
  if (out && (out->built_in ||
              (out->holes.empty() && state_->numbers && !out->numbers_told))) {
    try_other_shares(out, attempt);
  }
  if (out && out->built_in) {
    serve_one_value(out, attempt);
  }
  if (out && !out->holes.empty() && state_->forget_half()) {
    // Layers that differ in what they convert alone (the first is given no
    // float32 residuals yet) are one class without the conversions.
    auto plain = attempt();
    if (plain && plain->holes.empty()) {
      out = std::move(plain);
    }
  }
  return out;
}

void Compilation::leave_out(const nlohmann::json& variant) {
  auto& all = state_->recordings;
  const auto of_variant = [&](const Recording& recording) {
    return recording.evaluation.json == variant;
  };
  all.erase(std::remove_if(all.begin() + 1, all.end(), of_variant), all.end());
}

void Compilation::leave_out_rope(const std::string& type) {
  state_->left_ropes.insert(type);
}

bool Compilation::add(const nlohmann::json& variant) {
  State& s = *state_;
  if (!s.added.insert(variant.dump()).second) {
    return false;
  }
  const base::Stopwatch recording(s.timings.record);
  auto added = record(s.interp, variant);
  if (!added) {
    return false;
  }
  added->evaluation.trace = added->trace.get();
  record_half(s.interp, *added, s.recordings.front());
  s.recordings.push_back(std::move(*added));
  return true;
}

void Compilation::keep(const std::string& field, bool value) {
  state_->served[field] = value;
}

bool Compilation::keeps(const std::string& field) const {
  return state_->served.contains(field);
}

const Timings& Compilation::timings() const {
  return state_->timings;
}

}  // namespace portwright::emit
